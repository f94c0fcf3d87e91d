-- title           = "Role of a machine was denied, which had not happened for a month"
-- severity        = "low"
-- tags            = ["attack.discovery", "attack.t1526"]
-- remedy          = "Look at what it tried. A program calls what it may; calls that are denied come from a change of the program, or from somebody who has its credentials."
-- false_positives = "A new version of the program, or a policy that was made smaller."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       coalesce(errorCode, 'none') AS outcome,
       sample(eventName) AS calls,
       sample(sourceIPAddress) AS addresses,
       count(*) AS times
FROM cloudtrail
WHERE userIdentity.type = 'AssumedRole'
  AND (userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL OR userIdentity.arn LIKE '%/i-%')
  AND (errorCode IS NULL OR errorCode IN ('AccessDenied', 'AccessDeniedException', 'Client.UnauthorizedOperation', 'UnauthorizedOperation'))
GROUP BY coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), coalesce(errorCode, 'none'), tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(coalesce(errorCode, 'none'), INTERVAL '30 days') AND count(errorCode) >= 3
