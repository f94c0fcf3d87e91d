-- title           = "Credentials of one EC2 instance came to a service by an endpoint and past it, within an hour"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.lateral_movement", "attack.t1552.005", "attack.t1078.004", "attack.t1550.001"]
-- remedy          = "See whether the instance has both ways. If not: revoke the sessions of its role, replace the instance, and look at what was called by the way that is not its own."
-- false_positives = "An endpoint that was made, taken away or replaced within the hour; a container that asks from another subnet with the credentials of its host."
-- description     = "All that an instance asks of a service in its Region takes one way: the endpoint of its network where there is one. Stolen credentials that are used on another instance take another, though both addresses are AWS's own."
SELECT userIdentity.arn AS who,
       count(*) FILTER (WHERE vpcEndpointId IS NULL) AS calls_from_internet,
       sample(vpcEndpointId) AS endpoints,
       sample(sourceIPAddress) AS addresses,
       sample(eventName) AS calls,
       sample(userAgent) AS user_agents,
       split_part(userIdentity.principalId, ':', 2) AS resource
FROM cloudtrail
WHERE userIdentity.type = 'AssumedRole'
  AND userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL
  AND userIdentity.invokedBy IS NULL
  AND regexp_like(userIdentity.principalId, ':i-[0-9A-Fa-f]{8,17}$')
  AND regexp_like(sourceIPAddress, '^[0-9.]+$')
  AND (vpcEndpointId IS NOT NULL
       OR NOT ip_is_private(sourceIPAddress))
  -- who was given a signed link has the link, not the credentials
  AND additionalEventData ->> 'AuthenticationMethod' IS DISTINCT FROM 'QueryString'
GROUP BY userIdentity.arn, userIdentity.principalId, account, eventSource, awsRegion, hop(eventTime, INTERVAL '20 minutes', INTERVAL '1 hour')
HAVING count(DISTINCT vpcEndpointId) >= 2
    OR count(DISTINCT vpcEndpointId) >= 1
       AND count(*) FILTER (WHERE vpcEndpointId IS NULL) >= 1
