-- title    = "Principal gave itself a policy, a group or a tag"
-- severity = "high"
-- tags     = ["attack.privilege_escalation", "attack.t1098.003", "attack.t1098"]
-- remedy   = "Nobody should grant rights to themselves: remove the policy, group or tag, disable the principal until its owner has explained it, and deny iam:Attach*Policy and iam:Put*Policy on itself."
SELECT eventTime, eventName,
       coalesce(requestParameters ->> 'policyArn', requestParameters ->> 'policyName', requestParameters ->> 'groupName', requestParameters ->> 'tags') AS policy,
       requestParameters ->> 'policyDocument' AS document,
       sourceIPAddress, userAgent,
       coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn, 'user/' || userIdentity.userName) AS resource,
       CASE WHEN userIdentity.type = 'IAMUser' AND eventName NOT LIKE 'Tag%' THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN eventName LIKE 'Tag%' THEN 'Principal tagged itself, and policies may go by tags'
            WHEN eventName = 'AddUserToGroup' THEN 'User added itself to a group'
            WHEN userIdentity.type = 'IAMUser' THEN 'User gave itself a policy' ELSE 'Role gave itself a policy' END AS title
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('AttachUserPolicy', 'PutUserPolicy', 'AttachRolePolicy', 'PutRolePolicy', 'AddUserToGroup', 'TagUser', 'TagRole')
  -- policies may go by tags; the console writes what a key is for into one, and Terraform tags its own role too
  AND (NOT eventName LIKE 'Tag%'
       OR NOT is_infrastructure_tool()
          AND array_any_match(coalesce(json_get_array(requestParameters, 'tags'), make_array(json_get_json(requestParameters, 'tags'))), t -> NOT t ->> 'key' LIKE 'AKIA%'))
  AND (userIdentity.type = 'IAMUser' AND requestParameters ->> 'userName' = userIdentity.userName
       -- who made a console of a key of the user
       OR userIdentity.type = 'FederatedUser' AND requestParameters ->> 'userName' = userIdentity.sessionContext.sessionIssuer.userName
       OR userIdentity.type = 'AssumedRole' AND requestParameters ->> 'roleName' = userIdentity.sessionContext.sessionIssuer.userName)
  AND errorCode IS NULL
