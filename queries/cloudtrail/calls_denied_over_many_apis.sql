-- title           = "Many different calls of one principal were refused in a short time"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.t1526", "attack.t1580"]
-- remedy          = "Ask who uses the principal. If nobody can say, disable its key or revoke its sessions, and look for the calls of it that were not refused."
-- false_positives = "Posture and inventory tools with too few rights; consoles opened by people with few rights, and Regions or services that the organization forbids (low)."
SELECT userIdentity.arn AS who,
       count(DISTINCT eventName) AS apis,
       count(DISTINCT eventSource) AS services,
       sample(eventName) AS some_apis,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(userIdentity.arn) AS resource,
       CASE WHEN count(*) FILTER (WHERE sessionCredentialFromConsole) * 2 > count(*) THEN 'low'
            -- what a policy of the organization forbids everybody says little of who asked
            WHEN count(DISTINCT eventName) FILTER (WHERE errorMessage IS NULL OR errorMessage NOT LIKE '%service control policy%') < 20 THEN 'low'
            WHEN count(DISTINCT eventName) FILTER (WHERE errorMessage IS NULL OR errorMessage NOT LIKE '%service control policy%') >= 60
                 -- a scanner that was given too little asks for everything, every day
                 AND count(*) FILTER (WHERE is_person() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL) > 0 THEN 'high'
            ELSE 'medium' END AS severity
FROM cloudtrail
WHERE errorCode IN ('AccessDenied', 'AccessDeniedException', 'Client.UnauthorizedOperation', 'UnauthorizedOperation', 'AuthorizationError')
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT eventName) >= 20
   AND count(DISTINCT eventSource) >= 5
