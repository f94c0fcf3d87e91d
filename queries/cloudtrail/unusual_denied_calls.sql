-- title           = "Principal was denied far more calls than it ever is"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.t1580", "attack.t1526"]
-- remedy          = "Look at which calls were denied and from where; if the owner did not deploy a change, revoke the sessions and rotate the credentials."
-- false_positives = "A deployment that lost a permission; consoles opened by people with few rights (low)."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       count(*) AS denied,
       count(DISTINCT eventName) AS calls,
       sample(eventName) AS some_calls,
       CASE WHEN count(*) FILTER (WHERE sessionCredentialFromConsole) * 2 > count(*) THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE errorCode IN ('AccessDenied', 'AccessDeniedException', 'UnauthorizedOperation', 'Client.UnauthorizedOperation')
GROUP BY coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), tumble(eventTime, INTERVAL '10 minutes')
HAVING unusual_rate(count(*), 0.2)
  AND count(*) >= 10
