-- title           = "One principal tried to read many secrets and was refused"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.t1555.006"]
-- remedy          = "Ask the owner of the principal; if nobody can say, disable its key or revoke its sessions. Look at which secrets it did read, and rotate these."
-- false_positives = "A program that lost its rights, until somebody gives them back."
SELECT userIdentity.arn AS who,
       count(DISTINCT requestParameters ->> 'secretId') AS secrets,
       sample(requestParameters ->> 'secretId') AS some_of_them,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(requestParameters ->> 'secretId') AS resource
FROM cloudtrail
WHERE eventSource = 'secretsmanager.amazonaws.com'
  AND eventName = 'GetSecretValue'
  AND errorCode LIKE '%AccessDenied%'
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT requestParameters ->> 'secretId') >= 8
