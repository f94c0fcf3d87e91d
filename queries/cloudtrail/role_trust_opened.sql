-- title           = "Role was opened to another account"
-- severity        = "high"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1098.003", "attack.t1078.004", "attack.t1098"]
-- remedy          = "Find out whose account it is. If it is not one of yours or of a vendor you know: put the old trust policy back, revoke the sessions of the role, and search for AssumeRole calls from that account."
-- false_positives = "Control Tower, whose audit account reads the others, and stack sets that reach every account (low)."
SELECT eventTime,
       requestParameters ->> 'roleName' AS role,
       requestParameters ->> 'policyDocument' AS trust_policy,
       sourceIPAddress, userAgent,
       'role/' || (requestParameters ->> 'roleName') AS resource,
       -- statements under a condition are taken out too: whom does the rest let in?
       CASE WHEN requestParameters ->> 'roleName' LIKE 'aws-controltower-%'
                 AND userIdentity.sessionContext.sessionIssuer.userName = 'AWSControlTowerExecution'
                 AND userIdentity.invokedBy = 'cloudformation.amazonaws.com' THEN 'low'
            WHEN regexp_like(regexp_replace(requestParameters ->> 'policyDocument', '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*("Effect"\s*:\s*"Deny"|"Condition"\s*:)([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'), '"(AWS|Principal)"\s*:\s*(\[[^\]]*)?"\*"') THEN 'critical'
            -- what is rolled out to each account of an organization is told where the stack set is changed
            WHEN userIdentity.invokedBy = 'cloudformation.amazonaws.com'
                 AND regexp_like(userIdentity.sessionContext.sessionIssuer.userName, '^(stacksets-exec-[0-9a-f]{16,}|AWSCloudFormationStackSetExecutionRole)$') THEN 'low'
            -- what a pipeline is made to do was read by somebody before
            WHEN (userIdentity.invokedBy = 'cloudformation.amazonaws.com'
                  OR NOT is_person() AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
                     AND is_infrastructure_tool()) THEN 'medium'
            WHEN regexp_like(regexp_replace(without_own(requestParameters ->> 'policyDocument', account), '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*("Effect"\s*:\s*"Deny"|"Condition"\s*:)([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'), '"AWS"\s*:\s*(\[[^\]]*)?"(arn:[a-z-]+:(iam|sts)::)?[0-9]{12}') THEN 'high'
            ELSE 'medium' END AS severity,
       CASE WHEN regexp_like(regexp_replace(requestParameters ->> 'policyDocument', '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Effect"\s*:\s*"Deny"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'), '"(AWS|Principal)"\s*:\s*(\[[^\]]*)?"\*"') THEN 'Role was opened to every AWS account'
            ELSE 'Role was opened to another account' END AS title
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'UpdateAssumeRolePolicy'
  AND errorCode IS NULL
  -- the own account and statements that deny are taken out; whom does the rest name?
  AND regexp_like(
        regexp_replace(without_own(requestParameters ->> 'policyDocument', account), '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Effect"\s*:\s*"Deny"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'),
        '"AWS"\s*:\s*(\[[^\]]*)?"((arn:[a-z-]+:(iam|sts)::)?[0-9]{12}|A(RO|ID)A[0-9A-Z]{12,}")|"(AWS|Principal)"\s*:\s*(\[[^\]]*)?"\*"')
