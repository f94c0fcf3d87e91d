-- title    = "EventBridge rule was disabled or deleted"
-- severity = "low"
-- tags     = ["attack.defense_evasion", "attack.t1562.001"]
-- remedy   = "See what the rule started; enable it again if it forwarded alarms or ran a response."
SELECT eventTime,
       eventName,
       requestParameters ->> 'eventBusName' AS bus,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'name' AS resource,
       CASE WHEN regexp_like(requestParameters ->> 'name', '(?i)guardduty|security|cloudtrail|config|iam|root|alert|siem') THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'events.amazonaws.com'
  AND eventName IN ('DisableRule', 'DeleteRule', 'PutRule')
  AND (eventName <> 'PutRule'
       OR requestParameters ->> 'state' = 'DISABLED'
          AND userIdentity.invokedBy IS NULL
          AND NOT is_infrastructure_tool())
  AND errorCode IS NULL
