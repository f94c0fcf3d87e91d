-- title           = "Principal asked IAM far more than it ever does"
-- severity        = "low"
-- tags            = ["attack.discovery", "attack.t1087.004", "attack.t1069.003"]
-- remedy          = "Look at what it asked and what followed; if the owner runs no audit, revoke the principal's sessions."
-- false_positives = "An audit tool, or a larger deployment."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       count(*) AS reads,
       count(DISTINCT eventName) AS calls,
       sample(eventName) AS some_calls
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND (eventName LIKE 'Get%' OR eventName LIKE 'List%')
GROUP BY coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), tumble(eventTime, INTERVAL '10 minutes')
HAVING unusual_rate(count(*), 0.2)
  AND count(*) >= 20
