-- title           = "One console session was used in two browsers at two addresses"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.t1539", "attack.defense_evasion", "attack.lateral_movement", "attack.t1550.004"]
-- remedy          = "Ask the person whether they use both. If not, their cookie was stolen: revoke the sessions of the role or user, end the session at the identity provider, and clean the computer that it was taken from."
-- false_positives = "A browser that pretends to be another, on a computer that changes its network."
-- description     = "A session is a principal and the second in which it was made; a second sign-in of the same person is another session. Versions of a browser are not told apart. It sees calls of the common services that carry the name of the browser."
SELECT userIdentity.arn AS who,
       userIdentity.sessionContext.attributes.creationDate AS signed_in,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(eventName) AS calls,
       userIdentity.arn AS resource
FROM cloudtrail
WHERE eventSource IN ('ec2.amazonaws.com', 'iam.amazonaws.com', 's3.amazonaws.com', 'rds.amazonaws.com', 'lambda.amazonaws.com', 'ecs.amazonaws.com', 'eks.amazonaws.com',
                      'kms.amazonaws.com', 'secretsmanager.amazonaws.com', 'ssm.amazonaws.com', 'dynamodb.amazonaws.com', 'cloudformation.amazonaws.com',
                      'cloudtrail.amazonaws.com', 'logs.amazonaws.com', 'monitoring.amazonaws.com', 'health.amazonaws.com', 'notifications.amazonaws.com',
                      'organizations.amazonaws.com', 'ce.amazonaws.com', 'guardduty.amazonaws.com', 'glue.amazonaws.com', 'athena.amazonaws.com')
  AND sessionCredentialFromConsole
  AND userAgent LIKE 'Mozilla/%'
  AND userIdentity.invokedBy IS NULL
  AND userIdentity.sessionContext.attributes.creationDate IS NOT NULL
  AND regexp_like(sourceIPAddress, '^[0-9a-fA-F:.]+$')
GROUP BY userIdentity.arn, account, userIdentity.sessionContext.attributes.creationDate, hop(eventTime, INTERVAL '1 hour', INTERVAL '6 hours')
HAVING count(DISTINCT regexp_replace(userAgent, '[0-9._]+', '', 'g')) >= 2
   AND count(DISTINCT sourceIPAddress) >= 2
