-- title           = "Person read a secret"
-- severity        = "low"
-- tags            = ["attack.credential_access", "attack.t1555.006"]
-- remedy          = "Ask why a person needed what an application uses; rotate the secret if the answer does not fit."
-- false_positives = "Operators; scripts that use an IAM user."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'secretId', requestParameters ->> 'secretIdList', requestParameters ->> 'filters') AS secrets,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'secretId', requestParameters -> 'secretIdList' ->> 0, account) AS resource,
       CASE WHEN eventName = 'BatchGetSecretValue' THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN eventName = 'BatchGetSecretValue' THEN 'Person read many secrets by one call'
            ELSE 'Person read a secret' END AS title
FROM cloudtrail
WHERE eventSource = 'secretsmanager.amazonaws.com'
  AND eventName IN ('GetSecretValue', 'BatchGetSecretValue')
  AND errorCode IS NULL
  AND is_person()
