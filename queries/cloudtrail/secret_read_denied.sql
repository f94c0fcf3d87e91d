-- title           = "Somebody tried to read a secret and was refused"
-- severity        = "low"
-- tags            = ["attack.credential_access", "attack.t1555.006"]
-- remedy          = "See how many secrets were tried (the finding's count); one is a missing permission, many are a search: then disable the key or revoke the sessions, and look for reads that were not refused."
-- false_positives = "A deployment whose permission was forgotten."
SELECT eventTime,
       eventName,
       requestParameters ->> 'secretId' AS secret,
       errorCode,
       errorMessage,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'secretId', account) AS resource,
       CASE WHEN eventName = 'BatchGetSecretValue' THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'secretsmanager.amazonaws.com'
  AND eventName IN ('GetSecretValue', 'BatchGetSecretValue')
  AND errorCode LIKE '%AccessDenied%'
