-- title           = "Principal listed many more kinds of things than it ever does"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.t1580", "attack.t1526"]
-- remedy          = "See what was listed and what followed; if the owner runs no inventory, revoke the principal's sessions."
-- false_positives = "An inventory tool's first run."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       count(DISTINCT eventName) AS kinds,
       count(*) AS calls,
       sample(eventName) AS some_kinds,
       -- a page of the console lists by itself what it may show, and a plan of Terraform's whatever it may change: told, but it weighs little
       CASE WHEN count(*) FILTER (WHERE sessionCredentialFromConsole OR is_infrastructure_tool()) * 2 > count(*) THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE (eventName LIKE 'List%' OR eventName LIKE 'Describe%')
GROUP BY coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), tumble(eventTime, INTERVAL '10 minutes')
HAVING unusual_rate(count(DISTINCT eventName), 0.2)
  AND count(DISTINCT eventName) >= 12
