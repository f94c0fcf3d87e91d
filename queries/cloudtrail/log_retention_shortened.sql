-- title    = "CloudWatch log group was set to keep its logs for a few days only"
-- severity = "low"
-- tags     = ["attack.defense_evasion", "attack.t1562.008"]
-- remedy   = "Set the retention back to what your policy asks for (PutRetentionPolicy) before the older logs expire."
SELECT eventTime,
       json_get_int(requestParameters, 'retentionInDays') AS days,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'logGroupName' AS resource,
       CASE WHEN regexp_like(requestParameters ->> 'logGroupName', '(?i)cloudtrail|flow-?log|vpc|guardduty|waf|route53|firewall|audit|security') THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'logs.amazonaws.com'
  AND eventName = 'PutRetentionPolicy'
  AND errorCode IS NULL
  AND json_get_int(requestParameters, 'retentionInDays') <= 5
