-- title    = "User was added to an administrators group"
-- severity = "medium"
-- tags     = ["attack.privilege_escalation", "attack.persistence", "attack.t1098.003", "attack.t1098"]
-- remedy   = "Check that the user should have the rights of the group; remove the membership if nobody asked for it."
SELECT eventTime,
       requestParameters ->> 'userName' AS new_member,
       requestParameters ->> 'groupName' AS to_group,
       sourceIPAddress, userAgent,
       'group/' || (requestParameters ->> 'groupName') AS resource,
       CASE WHEN requestParameters ->> 'userName' = userIdentity.userName THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN requestParameters ->> 'userName' = userIdentity.userName THEN 'User added itself to a group'
            ELSE 'User was added to an administrators group' END AS title
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'AddUserToGroup'
  AND (requestParameters ->> 'userName' = userIdentity.userName
       OR regexp_like(requestParameters ->> 'groupName', '(?i)(^|[^a-z])(admins?|administrators?|administratoraccess|superusers?|poweruser(access)?|fulladmin)([^a-z]|$)'))
  AND errorCode IS NULL
