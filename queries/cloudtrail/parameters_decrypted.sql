-- title           = "Person read decrypted parameters from Parameter Store"
-- severity        = "low"
-- tags            = ["attack.credential_access", "attack.t1555.006"]
-- remedy          = "Ask which parameters were needed and why; rotate what an unexpected reader has seen, starting with the names in the evidence."
-- false_positives = "Developers reading the settings of their own service; deployments that use an IAM user."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'names', requestParameters ->> 'path', requestParameters ->> 'name') AS parameters,
       errorCode,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, requestParameters ->> 'path', requestParameters ->> 'name', requestParameters -> 'names' ->> 0) AS resource,
       CASE WHEN errorCode IS NULL
                 AND (eventName = 'GetParametersByPath' OR json_length(requestParameters, 'names') >= 5) THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN NOT is_person() THEN 'Parameters of every path were asked for decrypted from Parameter Store'
            WHEN errorCode IS NULL THEN 'Person read decrypted parameters from Parameter Store'
            ELSE 'Person tried to read decrypted parameters from Parameter Store' END AS title
FROM cloudtrail
WHERE eventSource = 'ssm.amazonaws.com'
  AND eventName IN ('GetParameters', 'GetParameter', 'GetParametersByPath', 'GetParameterHistory')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND requestParameters ->> 'withDecryption' = 'true'
  -- a program knows the path of its own parameters
  AND (is_person()
       OR requestParameters ->> 'path' = '/')
