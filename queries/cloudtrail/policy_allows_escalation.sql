-- title           = "Policy was written that lets its holder give itself more rights"
-- severity        = "medium"
-- tags            = ["attack.privilege_escalation", "attack.persistence", "attack.t1098.003", "attack.t1548.005"]
-- remedy          = "Name the users and roles that it is meant for in place of the star, or add a permissions boundary; look at what the holders did in IAM since."
-- false_positives = "Roles of deployments and of identity management."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'userName', requestParameters ->> 'roleName', requestParameters ->> 'groupName') AS written_to,
       requestParameters ->> 'policyDocument' AS document,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'policyArn', requestParameters ->> 'policyName') AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreatePolicy', 'CreatePolicyVersion', 'PutUserPolicy', 'PutRolePolicy', 'PutGroupPolicy')
  -- statements that deny or that stand under a condition are taken out
  AND regexp_like(regexp_replace(requestParameters ->> 'policyDocument', '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*("Effect"\s*:\s*"Deny"|"Condition"\s*:)([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'), '"Resource"\s*:\s*(\[[^\]]*)?"(\*|arn:[a-z-]+:[a-z*]*:[*:]*)"')
  AND (regexp_like(regexp_replace(requestParameters ->> 'policyDocument', '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*("Effect"\s*:\s*"Deny"|"Condition"\s*:)([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'), '(?i)"(iam:([*]|(put|attach)([*]|(user|role|group)policy)|create([*]|accesskey|loginprofile|policyversion)|update([*]|assumerolepolicy|loginprofile)|addusertogroup|setdefaultpolicyversion)|i[*]:[*]|sts:([*]|assumerole))"')
       OR regexp_like(regexp_replace(requestParameters ->> 'policyDocument', '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*("Effect"\s*:\s*"Deny"|"Condition"\s*:)([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'), '"NotAction"\s*:|"Action"\s*:\s*(\[[^\]]*)?"[*](:[*])?"'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
