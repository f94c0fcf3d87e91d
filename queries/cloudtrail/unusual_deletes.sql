-- title           = "Principal deleted far more than it ever does"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485"]
-- remedy          = "Stop the principal (revoke its sessions), then see what can be restored; ask the owner."
-- false_positives = "A cleanup that somebody announced."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       count(*) AS deletes,
       count(DISTINCT eventName) AS calls,
       sample(eventName) AS some_calls
FROM cloudtrail
WHERE (eventName LIKE 'Delete%' OR eventName LIKE 'Terminate%')
  AND errorCode IS NULL
GROUP BY coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), tumble(eventTime, INTERVAL '10 minutes')
HAVING unusual_rate(count(*), 0.2)
  AND count(*) >= 10
