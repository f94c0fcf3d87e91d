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
       CASE WHEN eventName = 'PutRule' AND requestParameters ->> 'state' IS DISTINCT FROM 'DISABLED' THEN 'EventBridge rule was written so that it hears nothing of what it is named for'
            ELSE 'EventBridge rule was disabled or deleted' END AS title,
       CASE WHEN regexp_like(requestParameters ->> 'name', '(?i)guardduty|security|cloudtrail|config|iam|root|alert|siem') THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'events.amazonaws.com'
  AND eventName IN ('DisableRule', 'DeleteRule', 'PutRule')
  AND (eventName <> 'PutRule'
       OR (requestParameters ->> 'state' = 'DISABLED'
           -- the sources of AWS begin with its name; a pattern of them stands in braces
           OR regexp_like(requestParameters ->> 'name', '(?i)guard-?duty|cloudtrail|security-?hub|macie|inspector|access-?analyzer')
              AND NOT array_any_match(json_get_array(requestParameters ->> 'eventPattern', 'source'), s -> regexp_like(s, '(?i)^"?aws|[{]'))
              AND is_by_hand_or_script())
          AND userIdentity.invokedBy IS NULL
          AND NOT is_infrastructure_tool())
  AND errorCode IS NULL
