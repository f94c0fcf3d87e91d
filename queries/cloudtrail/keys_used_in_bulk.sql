-- title           = "One principal decrypted with many different KMS keys"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.collection", "attack.t1555.006", "attack.t1530"]
-- remedy          = "Ask what the principal decrypts directly; a key of a user or the role of an instance that nobody can explain is to be disabled."
-- false_positives = "Migrations that encrypt again; tools for secrets in files (sops) with a key for each environment."
SELECT userIdentity.arn AS who,
       count(*) AS calls,
       count(DISTINCT resources[1].arn) AS keys,
       count(DISTINCT awsRegion) AS regions,
       sample(resources[1].arn) AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses
FROM cloudtrail
WHERE eventSource = 'kms.amazonaws.com'
  AND eventName IN ('Decrypt', 'ReEncrypt')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT resources[1].arn) >= 10
