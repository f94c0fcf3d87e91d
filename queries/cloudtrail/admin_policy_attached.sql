-- title           = "Administrator policy was attached"
-- severity        = "medium"
-- tags            = ["attack.privilege_escalation", "attack.persistence", "attack.t1098.003", "cis.1.16"]
-- remedy          = "Check who asked for the rights. Detach the policy if nobody did, and look at what the principal has done since with its new rights."
-- false_positives = "Control Tower, and stack sets that reach every account (low)."
SELECT eventTime, eventName,
       coalesce(requestParameters ->> 'userName', requestParameters ->> 'roleName', requestParameters ->> 'groupName') AS attached_to,
       requestParameters ->> 'policyArn' AS policy,
       sourceIPAddress, userAgent,
       CASE eventName WHEN 'AttachUserPolicy' THEN 'user/' || (requestParameters ->> 'userName')
                      WHEN 'AttachRolePolicy' THEN 'role/' || (requestParameters ->> 'roleName')
                      ELSE 'group/' || (requestParameters ->> 'groupName') END AS resource,
       CASE WHEN eventName = 'AttachUserPolicy' THEN 'high'
            WHEN requestParameters ->> 'roleName' LIKE 'aws-controltower-%'
                 AND userIdentity.sessionContext.sessionIssuer.userName = 'AWSControlTowerExecution'
                 AND userIdentity.invokedBy = 'cloudformation.amazonaws.com' THEN 'low'
            -- what is rolled out to each account of an organization is told where the stack set is changed
            WHEN userIdentity.invokedBy = 'cloudformation.amazonaws.com'
                 AND regexp_like(userIdentity.sessionContext.sessionIssuer.userName, '^(stacksets-exec-[0-9a-f]{16,}|AWSCloudFormationStackSetExecutionRole)$') THEN 'low'
            ELSE 'medium' END AS severity,
       CASE eventName WHEN 'AttachUserPolicy' THEN 'Administrator policy was attached to a user'
                      WHEN 'AttachRolePolicy' THEN 'Administrator policy was attached to a role'
                      ELSE 'Administrator policy was attached to a group' END AS title
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('AttachUserPolicy', 'AttachRolePolicy', 'AttachGroupPolicy')
  AND regexp_like(requestParameters ->> 'policyArn', '^arn:[a-z-]+:iam::aws:policy/(AdministratorAccess|IAMFullAccess)$')
  AND errorCode IS NULL
