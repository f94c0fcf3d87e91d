-- title    = "Managed policy that allows everything was written"
-- severity = "medium"
-- tags     = ["attack.privilege_escalation", "attack.persistence", "attack.t1098.003", "attack.t1484", "cis.1.16"]
-- remedy   = "See who holds the policy (iam:ListEntitiesForPolicy). Set the version before as default and delete this one unless the change is known."
SELECT eventTime, eventName,
       coalesce(requestParameters ->> 'policyArn', json_get_str(responseElements, 'policy', 'arn'), requestParameters ->> 'policyName') AS resource,
       requestParameters ->> 'setAsDefault' AS set_as_default,
       requestParameters ->> 'policyDocument' AS document,
       sourceIPAddress, userAgent,
       CASE WHEN eventName = 'CreatePolicyVersion' AND requestParameters ->> 'setAsDefault' = 'true'
                 AND coalesce(NOT (userIdentity.invokedBy = 'cloudformation.amazonaws.com'
                  OR NOT is_person() AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
                     AND is_infrastructure_tool()), true) THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN eventName = 'CreatePolicy' THEN 'Policy that allows everything was created'
            WHEN requestParameters ->> 'setAsDefault' = 'true' THEN 'Existing policy was changed to allow everything'
            ELSE 'Version that allows everything was added to a policy' END AS title
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreatePolicy', 'CreatePolicyVersion')
  AND errorCode IS NULL
  -- statements that deny are taken out; then both stars must stand in one statement
  AND regexp_like(
        regexp_replace(requestParameters ->> 'policyDocument', '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Effect"\s*:\s*"Deny"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'),
        '"Action"\s*:\s*(\[[^\]]*)?"([*]+|(?i:[i?]?[a?]?[*]+[a?]?[m?]?|[i?][a?][m?]):[*?]*[*])"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Resource"\s*:\s*(\[[^\]]*)?"\*"|"Resource"\s*:\s*(\[[^\]]*)?"\*"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Action"\s*:\s*(\[[^\]]*)?"([*]+|(?i:[i?]?[a?]?[*]+[a?]?[m?]?|[i?][a?][m?]):[*?]*[*])"')
