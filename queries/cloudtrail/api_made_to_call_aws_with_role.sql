-- title           = "API was made to call IAM or another AWS service with a role of its own"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1098.003", "attack.t1648"]
-- remedy          = "Take the integration away if nobody claims it: who may call the API may do what the role may."
SELECT eventTime,
       eventName,
       requestParameters AS integration,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'restApiId', requestParameters ->> 'apiId', requestParameters ->> 'name', account) AS resource
FROM cloudtrail
WHERE eventSource IN ('apigateway.amazonaws.com', 'appsync.amazonaws.com')
  AND eventName IN ('PutIntegration', 'UpdateIntegration', 'CreateDataSource', 'UpdateDataSource')
  AND regexp_like(requestParameters, ':apigateway:[a-z0-9-]+:(iam|sts|ec2|secretsmanager|ssm|organizations|kms):|"endpoint"\s*:\s*"https://(iam|sts|ec2|secretsmanager|ssm|organizations|kms)[.][a-z0-9.-]*amazonaws[.]com')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
