-- title           = "Principal read secrets far more often than it ever does"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.t1555.006"]
-- remedy          = "Ask the owner; if nobody did it on purpose, rotate the secrets that were read and revoke the principal's sessions."
-- false_positives = "An application that starts anew and fills its cache; what keeps secrets in step elsewhere and is given many more (high, once)."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       count(*) AS reads,
       count(DISTINCT requestParameters ->> 'secretId') AS secrets,
       sample(requestParameters ->> 'secretId') AS some_secrets,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       -- one whose habit is a secret or two has no use for so many others
       CASE WHEN count(DISTINCT requestParameters ->> 'secretId') >= 20 THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'secretsmanager.amazonaws.com'
  AND eventName IN ('GetSecretValue', 'BatchGetSecretValue')
  AND errorCode IS NULL
GROUP BY coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), tumble(eventTime, INTERVAL '10 minutes')
HAVING unusual_rate(count(*), 0.2)
  AND count(*) >= 8
