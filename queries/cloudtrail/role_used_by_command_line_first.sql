-- title           = "Role of a program was used from a command line, which it had not been for a month"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.initial_access", "attack.t1078.004", "attack.lateral_movement", "attack.t1550.001"]
-- remedy          = "Ask the owner of the role whether a script or a person of theirs does so. If not: revoke its sessions, see what was called from that address, and how the function, container or runner gave its credentials away."
-- false_positives = "A script that is new; a person who assumes the role to try something."
-- description     = "Credentials that were stolen from a function, container or pipeline are tried out with AWS's command line. Command lines that say that AWS runs them (exec-env), and those of instances, are left out; a role is known when it was used on three days."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       sample(eventName) AS calls,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       sample(userIdentity.arn) AS sessions,
       count(*) AS times
FROM cloudtrail
WHERE userIdentity.type = 'AssumedRole'
  AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_person()
GROUP BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), regexp_like(userAgent, '^\[?(aws-cli|AWSPowerShell)') AND userAgent NOT LIKE '%exec-env/%', tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(regexp_like(userAgent, '^\[?(aws-cli|AWSPowerShell)') AND userAgent NOT LIKE '%exec-env/%', INTERVAL '30 days')
   AND count(*) FILTER (WHERE regexp_like(userAgent, '^\[?(aws-cli|AWSPowerShell)') AND userAgent NOT LIKE '%exec-env/%') >= 1
