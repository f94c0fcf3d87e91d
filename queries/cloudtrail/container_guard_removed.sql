-- title    = "Guard of containers at runtime was removed"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1562.001"]
-- remedy   = "Put the agent back, and look at what ran in the cluster meanwhile."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'name', '') AS resource
FROM cloudtrail
WHERE eventSource IN ('eks.amazonaws.com', 'ecs.amazonaws.com')
  AND eventName IN ('DeleteAddon', 'PutAccountSettingDefault', 'PutAccountSetting')
  AND (requestParameters ->> 'addonName' = 'aws-guardduty-agent'
       OR requestParameters ->> 'name' = 'guardDutyActivate'
          AND requestParameters ->> 'value' = 'off')
  AND errorCode IS NULL
