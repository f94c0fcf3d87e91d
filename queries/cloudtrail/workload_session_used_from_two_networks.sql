-- title           = "Session of a pipeline, pod or container was used from two networks"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.initial_access", "attack.lateral_movement", "attack.t1528", "attack.t1552.005", "attack.t1078.004", "attack.t1550.001"]
-- remedy          = "See which address is the job's, the pod's or the container's: what comes from the other was done by somebody who took the credentials. Revoke the sessions of the role, look at the job's log and at what ran in it, and replace what could read the token."
-- false_positives = "Runners and NAT gateways that leave by addresses of several networks (low, where one tool is seen from both)."
-- description     = "A session is the access key that one job, pod or task was given. Compared is the network that it was given to and used from, as the first two numbers of the address, with the others that it is used from. In a thief's hands another tool, or another version of it, comes from the other network; where each tool comes from all of them, an egress has several addresses. What AWS's own tools within a container say of it (exec-env) is for other rules."
SELECT sample(userIdentity.arn) AS who,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       sample(eventName) AS calls,
       coalesce(userIdentity.accessKeyId, responseElements -> 'credentials' ->> 'accessKeyId') AS session_key,
       sample(coalesce(userIdentity.sessionContext.sessionIssuer.arn, requestParameters ->> 'roleArn')) AS resource,
       CASE WHEN count(DISTINCT split_part(userAgent, ' ', 1)) >= 2
             AND count(DISTINCT concat(split_part(userAgent, ' ', 1), ' ', regexp_replace(sourceIPAddress, '[.][0-9]+[.][0-9]+$', ''))) = count(DISTINCT split_part(userAgent, ' ', 1)) THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE (userIdentity.type = 'AssumedRole'
       AND (userIdentity.sessionContext.webIdFederationData.federatedProvider IS NOT NULL
            OR regexp_like(userIdentity.principalId, ':[0-9a-f]{32}$'))
       OR userIdentity.type = 'WebIdentityUser')
  AND coalesce(userIdentity.accessKeyId, responseElements -> 'credentials' ->> 'accessKeyId') IS NOT NULL
  AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
  AND userIdentity.invokedBy IS NULL
  AND vpcEndpointId IS NULL
  AND regexp_like(sourceIPAddress, '^[0-9.]+$')
  AND NOT ip_is_private(sourceIPAddress)
  AND coalesce(userAgent, '') NOT LIKE '%exec-env/%'
  -- the guests of an app are where they are
  AND coalesce(userIdentity.sessionContext.webIdFederationData.federatedProvider, userIdentity.identityProvider, '') <> 'cognito-identity.amazonaws.com'
  -- who was given a signed link has the link, not the credentials
  AND additionalEventData ->> 'AuthenticationMethod' IS DISTINCT FROM 'QueryString'
GROUP BY account, session_key, session(eventTime, INTERVAL '4 hours')
HAVING count(DISTINCT regexp_replace(sourceIPAddress, '[.][0-9]+[.][0-9]+$', '')) >= 2
