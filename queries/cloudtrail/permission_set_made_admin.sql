-- title    = "Permission set was given administrator rights"
-- severity = "medium"
-- tags     = ["attack.privilege_escalation", "attack.persistence", "attack.t1098.003", "cis.1.16"]
-- remedy   = "See to whom and in which accounts the permission set is assigned; they all get these rights with the next provisioning. Take the policy off if the change is unknown."
SELECT eventTime, eventName,
       requestParameters ->> 'managedPolicyArn' AS policy,
       requestParameters ->> 'inlinePolicy' AS document,
       sourceIPAddress, userAgent,
       requestParameters ->> 'permissionSetArn' AS resource
FROM cloudtrail
WHERE eventSource = 'sso.amazonaws.com'
  AND eventName IN ('AttachManagedPolicyToPermissionSet', 'PutInlinePolicyToPermissionSet')
  AND errorCode IS NULL
  AND (regexp_like(requestParameters ->> 'managedPolicyArn', '^arn:[a-z-]+:iam::aws:policy/(AdministratorAccess|IAMFullAccess)$')
    OR regexp_like(
        regexp_replace(requestParameters ->> 'inlinePolicy', '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Effect"\s*:\s*"Deny"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'),
        '"Action"\s*:\s*(\[[^\]]*)?"([*]+|(?i:[i?]?[a?]?[*]+[a?]?[m?]?|[i?][a?][m?]):[*?]*[*])"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Resource"\s*:\s*(\[[^\]]*)?"\*"|"Resource"\s*:\s*(\[[^\]]*)?"\*"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Action"\s*:\s*(\[[^\]]*)?"([*]+|(?i:[i?]?[a?]?[*]+[a?]?[m?]?|[i?][a?][m?]):[*?]*[*])"'))
