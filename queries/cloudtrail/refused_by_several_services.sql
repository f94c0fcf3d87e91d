-- title           = "Key of a user, or credentials of an instance or program, were refused by several services within minutes"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.discovery", "attack.t1526", "attack.t1580", "attack.t1078.004"]
-- remedy          = "Ask the owner of the key, or find the program on the instance. If nobody can say: disable the key, or revoke the sessions of the role, and look at what was not refused."
-- false_positives = "Monitoring with a key that has too few rights; give it those that it needs, or put it in the suppress list."
-- description     = "Who has found credentials and does not know what they are for tries one service after the other. A program is refused by one, the one that it was made for."
SELECT userIdentity.arn AS who,
       count(DISTINCT eventSource) AS services,
       count(DISTINCT eventName) AS apis,
       sample(eventName) AS calls,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(userIdentity.arn) AS resource
FROM cloudtrail
WHERE regexp_like(errorCode, '^(AccessDenied|AccessDeniedException|(Client[.])?UnauthorizedOperation|AuthorizationError)$')
  AND userIdentity.invokedBy IS NULL
  AND (userIdentity.accessKeyId LIKE 'AKIA%'
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL
       OR is_by_hand() AND NOT is_person())
  AND NOT regexp_like(coalesce(userAgent, ''), 'Terraform|OpenTofu|Pulumi|[Pp]acker|aws-cdk|aws-sam-cli')
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT eventSource) >= 5
