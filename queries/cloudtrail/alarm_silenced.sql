-- title    = "CloudWatch alarm was deleted or its actions were turned off"
-- severity = "low"
-- tags     = ["attack.defense_evasion", "attack.t1562.001"]
-- remedy   = "See which metric the alarms watched; enable or recreate those that guard security or cost."
SELECT eventTime,
       eventName,
       requestParameters ->> 'alarmNames' AS alarms,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters -> 'alarmNames' ->> 0, account) AS resource
FROM cloudtrail
WHERE eventSource = 'monitoring.amazonaws.com'
  AND eventName IN ('DeleteAlarms', 'DisableAlarmActions')
  AND errorCode IS NULL
