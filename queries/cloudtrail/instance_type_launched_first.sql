-- title           = "Accelerated instance was launched of a type that the account had not used for a month"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.defense_evasion", "attack.t1496.001", "attack.t1578.002"]
-- remedy          = "Ask who needs it. Mining uses the most expensive types: if nobody does, terminate the instances and revoke the sessions of the principal."
-- false_positives = "A new machine learning or rendering project."
SELECT account,
       requestParameters ->> 'instanceType' AS instance_type,
       sample(coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn)) AS principals,
       sample(awsRegion) AS regions,
       count(*) AS times,
       json_get_str(min(responseElements), 'instancesSet', 'items', 0, 'instanceId') AS resource
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'RunInstances'
  AND errorCode IS NULL
  AND requestParameters ->> 'instanceType' IS NOT NULL
GROUP BY account, requestParameters ->> 'instanceType', tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(requestParameters ->> 'instanceType', INTERVAL '30 days')
   AND requestParameters ->> 'instanceType' ~ '^(p[2-9]|g[3-9]|trn|inf|dl)[a-z0-9-]*\.'
