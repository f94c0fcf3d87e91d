-- title           = "Principal decrypted with a key that it had not used for a month"
-- severity        = "low"
-- tags            = ["attack.credential_access", "attack.collection", "attack.t1552", "attack.t1530"]
-- remedy          = "Ask the owner of the principal which data it read. If it cannot say: take the principal out of the key's policy and its grants."
-- false_positives = "A new data set; a key that was replaced by another one."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       resources[1]['arn'] AS resource,
       sample(sourceIPAddress) AS addresses,
       count(*) AS times
FROM cloudtrail
WHERE eventSource = 'kms.amazonaws.com'
  AND eventName = 'Decrypt'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND resources[1]['arn'] IS NOT NULL
GROUP BY coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), resources[1]['arn'], tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(resources[1]['arn'], INTERVAL '30 days')
