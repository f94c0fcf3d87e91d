-- title           = "Permission set was changed by hand, or lost its boundary"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1098.003", "attack.t1098"]
-- remedy          = "Compare the permission set with what is in your repository, put it back, and look at who is assigned to it and what they did since."
-- false_positives = "The administrator of Identity Center, who has no repository of permission sets."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'managedPolicyArn', requestParameters -> 'permissionsBoundary' ->> 'managedPolicyArn', requestParameters -> 'customerManagedPolicyReference' ->> 'name') AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'permissionSetArn', requestParameters ->> 'instanceArn') AS resource,
       CASE WHEN eventName LIKE '%InstanceAccessControlAttributeConfiguration' THEN 'Attributes by which IAM Identity Center gives access were changed by hand'
            WHEN eventName = 'PutPermissionsBoundaryToPermissionSet' THEN 'Permission set was given a boundary that holds nobody back'
            ELSE 'Permission set was changed by hand, or lost its boundary' END AS title,
       -- permission_set_made_admin tells it
       CASE WHEN eventName = 'AttachManagedPolicyToPermissionSet' AND regexp_like(requestParameters ->> 'managedPolicyArn', ':iam::aws:policy/(AdministratorAccess|IAMFullAccess)$')
                 OR regexp_like(regexp_replace(requestParameters ->> 'inlinePolicy', '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Effect"\s*:\s*"Deny"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'), '"Action"\s*:\s*(\[[^\]]*)?"([*]+|(?i:[i?]?[a?]?[*]+[a?]?[m?]?|[i?][a?][m?]):[*?]*[*])"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Resource"\s*:\s*(\[[^\]]*)?"\*"|"Resource"\s*:\s*(\[[^\]]*)?"\*"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Action"\s*:\s*(\[[^\]]*)?"([*]+|(?i:[i?]?[a?]?[*]+[a?]?[m?]?|[i?][a?][m?]):[*?]*[*])"') THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'sso.amazonaws.com'
  AND eventName IN ('AttachManagedPolicyToPermissionSet', 'AttachCustomerManagedPolicyReferenceToPermissionSet', 'PutInlinePolicyToPermissionSet', 'UpdatePermissionSet', 'DeleteInlinePolicyFromPermissionSet', 'DeletePermissionsBoundaryFromPermissionSet', 'CreateInstanceAccessControlAttributeConfiguration', 'UpdateInstanceAccessControlAttributeConfiguration', 'DeleteInstanceAccessControlAttributeConfiguration', 'PutPermissionsBoundaryToPermissionSet')
  AND (eventName <> 'PutPermissionsBoundaryToPermissionSet'
       OR regexp_like(requestParameters -> 'permissionsBoundary' ->> 'managedPolicyArn', ':iam::aws:policy/(AdministratorAccess|PowerUserAccess|IAMFullAccess)$'))
  AND (eventName = 'DeletePermissionsBoundaryFromPermissionSet'
       OR NOT is_infrastructure_tool())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
