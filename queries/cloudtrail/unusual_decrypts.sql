-- title           = "Principal decrypted far more often than it ever does"
-- severity        = "low"
-- tags            = ["attack.collection", "attack.t1530"]
-- remedy          = "See in the encryption context what was decrypted, and ask the owner; revoke the principal's sessions if nobody knows."
-- false_positives = "A job that reads more data than usual."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       count(*) AS decrypts
FROM cloudtrail
WHERE eventSource = 'kms.amazonaws.com'
  AND eventName = 'Decrypt'
  AND errorCode IS NULL
GROUP BY coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), tumble(eventTime, INTERVAL '10 minutes')
HAVING unusual_rate(count(*), 0.2)
  AND count(*) >= 30
