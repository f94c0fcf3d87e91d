-- title    = "Principal gave itself a policy"
-- severity = "high"
-- tags     = ["attack.privilege_escalation", "attack.t1098.003", "attack.t1098"]
-- remedy   = "Nobody should grant rights to themselves: remove the policy, disable the principal until its owner has explained it, and deny iam:Attach*Policy and iam:Put*Policy on itself."
SELECT eventTime, eventName,
       coalesce(requestParameters ->> 'policyArn', requestParameters ->> 'policyName') AS policy,
       requestParameters ->> 'policyDocument' AS document,
       sourceIPAddress, userAgent,
       coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS resource,
       CASE WHEN userIdentity.type = 'IAMUser' THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN userIdentity.type = 'IAMUser' THEN 'User gave itself a policy' ELSE 'Role gave itself a policy' END AS title
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('AttachUserPolicy', 'PutUserPolicy', 'AttachRolePolicy', 'PutRolePolicy')
  AND (userIdentity.type = 'IAMUser' AND requestParameters ->> 'userName' = userIdentity.userName
       OR userIdentity.type = 'AssumedRole' AND requestParameters ->> 'roleName' = userIdentity.sessionContext.sessionIssuer.userName)
  AND errorCode IS NULL
