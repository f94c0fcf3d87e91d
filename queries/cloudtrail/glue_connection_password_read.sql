-- title           = "Glue connection was read with its password"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.t1555", "attack.t1552"]
-- remedy          = "Rotate the password of the data source; encrypt connection passwords with a key that only jobs may use, or keep them in Secrets Manager."
-- false_positives = "Terraform and other inventories that do not ask to hide passwords."
SELECT coalesce(requestParameters ->> 'name', 'all connections') AS resource, eventName, userAgent
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName IN ('GetConnection', 'GetConnections')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND coalesce(requestParameters ->> 'hidePassword', 'false') <> 'true'
  AND coalesce(userIdentity.arn, '') NOT LIKE '%/GlueJobRunnerSession'
  AND coalesce(userIdentity.arn, '') NOT LIKE '%/AWS-Crawler'
