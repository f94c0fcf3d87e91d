-- title           = "Many Glue connections were read with their passwords"
-- severity        = "high"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.t1555", "attack.t1552"]
-- remedy          = "Rotate the passwords of the data sources; encrypt connection passwords with a key that only jobs may use, or keep them in Secrets Manager."
-- false_positives = "Inventories that do not ask to hide passwords."
SELECT userIdentity.arn AS who,
       count(DISTINCT requestParameters ->> 'name') AS connections,
       sample(requestParameters ->> 'name') AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(*) FILTER (WHERE is_person() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL) > 0 THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName = 'GetConnection'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND coalesce(requestParameters ->> 'hidePassword', 'false') <> 'true'
  AND coalesce(userIdentity.arn, '') NOT LIKE '%/GlueJobRunnerSession'
  AND coalesce(userIdentity.arn, '') NOT LIKE '%/AWS-Crawler'
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT requestParameters ->> 'name') >= 5
