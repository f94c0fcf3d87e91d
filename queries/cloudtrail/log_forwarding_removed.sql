-- title    = "CloudWatch log subscription was removed"
-- severity = "low"
-- tags     = ["attack.defense_evasion", "attack.t1562.008"]
-- remedy   = "See whether the subscription fed the log archive or the SIEM; if so, put it back and refill the gap."
SELECT eventTime,
       eventName,
       requestParameters ->> 'filterName' AS filter,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'logGroupName', requestParameters ->> 'destinationName') AS resource,
       CASE WHEN regexp_like(requestParameters ->> 'logGroupName', '(?i)cloudtrail|flow-?log|vpc|guardduty|waf|route53|firewall|audit|security') THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'logs.amazonaws.com'
  AND eventName IN ('DeleteSubscriptionFilter', 'DeleteDestination')
  AND errorCode IS NULL
