-- title           = "Role of a program was refused by several services, which none had done for a month"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.discovery", "attack.t1526", "attack.t1580", "attack.t1078.004"]
-- remedy          = "Ask the owner of the role what changed. A program calls what it may; whoever has taken its credentials tries one service after the other: revoke the role's sessions, and look at how the function, container or pipeline gave them away."
-- false_positives = "A new version that asks for more than it was given; a policy that was made smaller."
-- description     = "Four services within a day. A role is known when it called on three days. Roles of instances are machine_denied_first's."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       count(DISTINCT eventSource) FILTER (WHERE errorCode IS NOT NULL) AS services,
       sample(eventName) FILTER (WHERE errorCode IS NOT NULL) AS calls,
       sample(sourceIPAddress) FILTER (WHERE errorCode IS NOT NULL) AS addresses,
       sample(userAgent) FILTER (WHERE errorCode IS NOT NULL) AS user_agents,
       count(*) AS times
FROM cloudtrail
WHERE userIdentity.type = 'AssumedRole'
  AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_by_hand()
  AND (errorCode IS NULL
    OR regexp_like(errorCode, '^(AccessDenied|AccessDeniedException|(Client[.])?UnauthorizedOperation|AuthorizationError)$'))
GROUP BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), errorCode IS NULL, tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(errorCode IS NULL, INTERVAL '30 days')
   AND count(DISTINCT eventSource) FILTER (WHERE errorCode IS NOT NULL) >= 4
