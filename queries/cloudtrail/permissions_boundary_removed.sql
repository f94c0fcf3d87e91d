-- title    = "Permissions boundary was removed"
-- severity = "medium"
-- tags     = ["attack.privilege_escalation", "attack.defense_evasion", "attack.t1098", "attack.t1562"]
-- remedy   = "Put the boundary back, and look at what the principal could and did do without it."
SELECT eventTime, eventName,
       coalesce(requestParameters ->> 'userName', requestParameters ->> 'roleName') AS of_principal,
       sourceIPAddress, userAgent,
       CASE eventName WHEN 'DeleteUserPermissionsBoundary' THEN 'user/' || (requestParameters ->> 'userName')
                      ELSE 'role/' || (requestParameters ->> 'roleName') END AS resource,
       CASE WHEN coalesce(requestParameters ->> 'userName' = userIdentity.userName,
                          requestParameters ->> 'roleName' = userIdentity.sessionContext.sessionIssuer.userName, false)
            THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('DeleteUserPermissionsBoundary', 'DeleteRolePermissionsBoundary')
  AND errorCode IS NULL
