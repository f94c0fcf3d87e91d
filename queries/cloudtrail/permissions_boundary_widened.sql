-- title           = "Permissions boundary was replaced by one that bounds nothing"
-- severity        = "medium"
-- tags            = ["attack.privilege_escalation", "attack.defense_evasion", "attack.t1098.003", "attack.t1548.005"]
-- remedy          = "Put the earlier boundary back, and look at what the principal did since."
SELECT eventTime,
       eventName,
       requestParameters ->> 'permissionsBoundary' AS boundary,
       sourceIPAddress,
       userAgent,
       coalesce('user/' || (requestParameters ->> 'userName'), 'role/' || (requestParameters ->> 'roleName')) AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('PutUserPermissionsBoundary', 'PutRolePermissionsBoundary')
  AND regexp_like(requestParameters ->> 'permissionsBoundary', ':aws:policy/(AdministratorAccess|PowerUserAccess|IAMFullAccess)$')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
