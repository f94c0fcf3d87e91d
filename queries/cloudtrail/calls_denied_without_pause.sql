-- title           = "Different calls of one principal kept being refused for more than an hour"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.t1526", "attack.t1580"]
-- remedy          = "Ask who uses the principal. If nobody can say, disable its key or revoke its sessions, and look for the calls of it that were not refused."
-- false_positives = "Posture and inventory tools with too few rights."
-- description     = "Somebody who tries what a key may do slowly enough for no short window to have many; a pause of more than ten minutes begins anew."
SELECT userIdentity.arn AS who,
       count(DISTINCT eventName) AS apis,
       max(eventTime) - min(eventTime) AS lasted,
       sample(eventName) AS some_apis,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       userIdentity.arn AS resource
FROM cloudtrail
WHERE errorCode IN ('AccessDenied', 'AccessDeniedException', 'Client.UnauthorizedOperation')
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, session(eventTime, INTERVAL '10 minutes')
HAVING count(DISTINCT eventName) >= 25
   AND max(eventTime) - min(eventTime) >= INTERVAL '1 hour'
