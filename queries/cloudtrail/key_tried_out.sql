-- title           = "Access key was tried out: it asked who it is, and several services refused it"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.initial_access", "attack.t1078.004", "attack.t1087.004", "attack.t1526"]
-- remedy          = "Ask the owner of the key; disable it if the calls are none of theirs, and find out where it was kept."
-- false_positives = "A key with few rights in the hands of a developer."
SELECT userIdentity.accessKeyId AS access_key,
       userIdentity.arn AS who,
       count(DISTINCT eventSource) FILTER (WHERE eventName <> 'GetCallerIdentity') AS services,
       sample(eventName) AS calls,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       userIdentity.accessKeyId AS resource
FROM cloudtrail
WHERE userIdentity.type = 'IAMUser'
  AND userIdentity.accessKeyId LIKE 'AKIA%'
  AND userIdentity.invokedBy IS NULL
  AND coalesce(userAgent, '') NOT LIKE '%Terraform%'
  AND (eventName = 'GetCallerIdentity'
       OR errorCode IN ('AccessDenied', 'AccessDeniedException', 'Client.UnauthorizedOperation', 'UnauthorizedOperation', 'AuthorizationError'))
GROUP BY userIdentity.accessKeyId, userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(*) FILTER (WHERE eventName = 'GetCallerIdentity') >= 1
   AND count(DISTINCT eventSource) FILTER (WHERE eventName <> 'GetCallerIdentity') >= 4
