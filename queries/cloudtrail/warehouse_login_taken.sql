-- title           = "Login to a data warehouse was fetched as its administrator or for a new user"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.t1555", "attack.t1078.004"]
-- remedy          = "Ask what for; look at the queries of that user since (STL_QUERY), and forbid the DbUser in the policy."
-- false_positives = "Jobs that work as the administrator."
SELECT eventTime,
       eventName,
       requestParameters ->> 'dbUser' AS db_user,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'clusterIdentifier' AS resource
FROM cloudtrail
WHERE eventSource = 'redshift.amazonaws.com'
  AND eventName = 'GetClusterCredentials'
  AND (requestParameters ->> 'autoCreate' = 'true'
       OR lower(requestParameters ->> 'dbUser') IN ('admin', 'awsuser', 'root', 'master', 'administrator', 'rdsdb'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
