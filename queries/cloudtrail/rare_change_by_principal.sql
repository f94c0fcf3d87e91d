-- title           = "Principal made a change that it and its account hardly ever make"
-- severity        = "low"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1098.001"]
-- remedy          = "Ask the owner whether it was meant; look at the session before and after it."
-- false_positives = "A new task of the principal."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       concat(eventSource, ':', eventName) AS change,
       count(*) AS times
FROM cloudtrail
WHERE errorCode IS NULL
  AND NOT readOnly
GROUP BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), concat(eventSource, ':', eventName), tumble(eventTime, INTERVAL '1 hour')
HAVING rare(concat(eventSource, ':', eventName), 0.2)
   -- what a role sets up and changes by such a tool was written down before
   AND count(*) FILTER (WHERE NOT is_infrastructure_tool() OR is_person()) > 0
