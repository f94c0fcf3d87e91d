-- title           = "Role that another account can assume was created"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.t1136.003", "attack.t1098.003", "attack.t1078.004"]
-- remedy          = "Find out whose account it is. Delete the role if it is neither yours nor of a vendor you know; ask vendors for an external id."
-- false_positives = "Control Tower, whose audit account reads the others, and stack sets that reach every account (low)."
SELECT eventTime,
       requestParameters ->> 'roleName' AS role,
       requestParameters ->> 'assumeRolePolicyDocument' AS trust_policy,
       sourceIPAddress, userAgent,
       coalesce(json_get_str(responseElements, 'role', 'arn'), 'role/' || (requestParameters ->> 'roleName')) AS resource,
       -- statements under a condition are taken out too: whom does the rest let in?
       CASE WHEN regexp_like(regexp_replace(requestParameters ->> 'assumeRolePolicyDocument', '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*("Effect"\s*:\s*"Deny"|"Condition"\s*:)([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'), '"(AWS|Principal)"\s*:\s*(\[[^\]]*)?"\*"') THEN 'critical'
            WHEN requestParameters ->> 'roleName' LIKE 'aws-controltower-%'
                 AND userIdentity.sessionContext.sessionIssuer.userName = 'AWSControlTowerExecution'
                 AND userIdentity.invokedBy = 'cloudformation.amazonaws.com' THEN 'low'
            -- what is rolled out to each account of an organization is told where the stack set is changed
            WHEN userIdentity.invokedBy = 'cloudformation.amazonaws.com'
                 AND regexp_like(userIdentity.sessionContext.sessionIssuer.userName, '^(stacksets-exec-[0-9a-f]{16,}|AWSCloudFormationStackSetExecutionRole)$') THEN 'low'
            WHEN regexp_like(regexp_replace(without_own(requestParameters ->> 'assumeRolePolicyDocument', account), '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*("Effect"\s*:\s*"Deny"|"Condition"\s*:)([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'), '"AWS"\s*:\s*(\[[^\]]*)?"(arn:[a-z-]+:(iam|sts)::)?[0-9]{12}') THEN 'medium'
            -- a condition that only the stranger needs to know
            WHEN is_by_hand()
                 AND sessionCredentialFromConsole IS NOT TRUE
                 AND NOT is_infrastructure_tool()
                 AND NOT regexp_like(requestParameters ->> 'assumeRolePolicyDocument', 'aws:PrincipalOrg') THEN 'medium'
            ELSE 'low' END AS severity,
       CASE WHEN regexp_like(regexp_replace(requestParameters ->> 'assumeRolePolicyDocument', '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Effect"\s*:\s*"Deny"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'), '"(AWS|Principal)"\s*:\s*(\[[^\]]*)?"\*"') THEN 'Role that every AWS account can assume was created'
            ELSE 'Role that another account can assume was created' END AS title
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'CreateRole'
  AND errorCode IS NULL
  -- the own account and statements that deny are taken out; whom does the rest name?
  AND regexp_like(
        regexp_replace(without_own(requestParameters ->> 'assumeRolePolicyDocument', account), '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Effect"\s*:\s*"Deny"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'),
        '"AWS"\s*:\s*(\[[^\]]*)?"((arn:[a-z-]+:(iam|sts)::)?[0-9]{12}|A(RO|ID)A[0-9A-Z]{12,}")|"(AWS|Principal)"\s*:\s*(\[[^\]]*)?"\*"')
