-- title           = "Credentials of a function or container were used outside of it"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.t1528", "attack.t1552.001", "attack.lateral_movement", "attack.t1550.001", "attack.t1078.004"]
-- remedy          = "See which address is the function's or container's: what comes from the other was done by somebody who read the credentials out of its environment. Revoke the sessions of the role, and look for the flaw by which they were read."
-- false_positives = "A developer who assumes the role of a function under the function's name."
-- description     = "AWS's tools write into the user agent that Lambda or ECS runs them (exec-env). One session of a role that is used so, and from another network by a tool that does not say so, is a session whose credentials were copied. Instances have rules of their own."
SELECT userIdentity.arn AS who,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       sample(eventName) FILTER (WHERE userAgent NOT LIKE '%exec-env/%') AS calls_elsewhere,
       userIdentity.arn AS resource
FROM cloudtrail
WHERE userIdentity.type = 'AssumedRole'
  AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
  AND userIdentity.invokedBy IS NULL
  AND vpcEndpointId IS NULL
  AND regexp_like(sourceIPAddress, '^[0-9.]+$')
  AND NOT ip_is_private(sourceIPAddress)
  AND (userAgent LIKE '%exec-env/AWS_%'
       OR regexp_like(userAgent, '^\[?(aws-cli|Boto3|AWSPowerShell)|(?i:windows|macos|darwin)')
          AND userAgent NOT LIKE '%exec-env/%')
  -- who was given a signed link has the link, not the credentials
  AND additionalEventData ->> 'AuthenticationMethod' IS DISTINCT FROM 'QueryString'
GROUP BY userIdentity.arn, account, tumble(eventTime, INTERVAL '6 hours')
HAVING count(*) FILTER (WHERE userAgent LIKE '%exec-env/AWS_%') >= 1
   AND count(*) FILTER (WHERE userAgent NOT LIKE '%exec-env/%') >= 1
   AND count(DISTINCT regexp_replace(sourceIPAddress, '[.][0-9]+[.][0-9]+$', '')) >= 2
