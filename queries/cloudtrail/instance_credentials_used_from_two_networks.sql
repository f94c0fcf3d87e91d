-- title           = "Credentials of one EC2 instance were used from two networks within an hour"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.lateral_movement", "attack.t1552.005", "attack.t1078.004", "attack.t1550.001"]
-- remedy          = "See which address is the instance's: what comes from the other was done by somebody who took the credentials. Revoke the sessions of the role, look for what read the metadata service, and require IMDSv2."
-- false_positives = "A NAT gateway with several addresses, or an instance that was given another address."
-- description     = "Who uses stolen credentials on an instance of their own is within AWS's networks, where an address alone tells nothing."
SELECT userIdentity.arn AS who,
       count(DISTINCT sourceIPAddress) AS different_addresses,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       sample(eventName) AS calls,
       split_part(userIdentity.principalId, ':', 2) AS resource
FROM cloudtrail
WHERE userIdentity.type = 'AssumedRole'
  AND userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL
  AND regexp_like(userIdentity.principalId, ':i-[0-9A-Fa-f]{8,17}$')
  AND userIdentity.invokedBy IS NULL
  AND vpcEndpointId IS NULL
  AND regexp_like(sourceIPAddress, '^[0-9.]+$')
  AND NOT ip_is_private(sourceIPAddress)
  -- who was given a signed link has the link, not the credentials
  AND additionalEventData ->> 'AuthenticationMethod' IS DISTINCT FROM 'QueryString'
GROUP BY userIdentity.arn, userIdentity.principalId, account, hop(eventTime, INTERVAL '20 minutes', INTERVAL '1 hour')
HAVING count(DISTINCT regexp_replace(sourceIPAddress, '[.][0-9]+[.][0-9]+$', '')) >= 2
