-- title           = "Principal read a secret that it had not read for a month"
-- severity        = "low"
-- tags            = ["attack.credential_access", "attack.t1555.006"]
-- remedy          = "Ask the owner of the principal what it needs the secret for. If it cannot say: rotate the secret, then revoke the principal's sessions."
-- false_positives = "A new version of an application that needs one more secret."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       requestParameters ->> 'secretId' AS resource,
       sample(sourceIPAddress) AS addresses,
       count(*) AS times
FROM cloudtrail
WHERE eventSource = 'secretsmanager.amazonaws.com'
  AND eventName = 'GetSecretValue'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), account, requestParameters ->> 'secretId', tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(requestParameters ->> 'secretId', INTERVAL '30 days')
