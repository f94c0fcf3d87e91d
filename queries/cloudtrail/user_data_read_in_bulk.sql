-- title           = "User data of many instances was read"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.credential_access", "attack.t1580", "attack.t1552.005"]
-- remedy          = "Ask the principal; rotate what start scripts held in the clear, and move it to Secrets Manager."
-- false_positives = "Posture scanners that look for secrets in user data; put their roles in the suppress list."
SELECT userIdentity.arn AS who,
       count(DISTINCT requestParameters ->> 'instanceId') AS instances,
       count(*) FILTER (WHERE errorCode IS NOT NULL) AS refused,
       sample(requestParameters ->> 'instanceId') AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(*) FILTER (WHERE errorCode IS NULL) > 0 THEN 'User data of many instances was read'
            ELSE 'Somebody tried to read the user data of many instances' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'DescribeInstanceAttribute'
  AND requestParameters ->> 'attribute' = 'userData'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND userIdentity.invokedBy IS NULL
  -- what Terraform reads of its instances, with the right to, is no search
  AND (errorCode IS NOT NULL
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL
       OR is_by_hand())
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT requestParameters ->> 'instanceId') >= 10
