-- title           = "Principal changed far more than it ever does"
-- severity        = "low"
-- tags            = ["attack.impact", "attack.t1578"]
-- remedy          = "Look at what was changed and ask the owner; if nobody did it on purpose, revoke the sessions and undo the changes."
-- false_positives = "A migration or a first deployment."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       count(*) AS changes,
       count(DISTINCT eventName) AS calls,
       sample(eventName) AS some_calls
FROM cloudtrail
WHERE errorCode IS NULL
  AND NOT readOnly
GROUP BY coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), tumble(eventTime, INTERVAL '10 minutes')
HAVING unusual_rate(count(*), 0.2)
  AND count(*) >= 20
