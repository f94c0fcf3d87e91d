-- title    = "Policy that forbids something was taken off a user, role or group"
-- severity = "medium"
-- tags     = ["attack.privilege_escalation", "attack.t1098.003", "attack.defense_evasion", "attack.t1562.001"]
-- remedy   = "Ask the owner why it is no longer needed. Attach it again if nobody knows, and see what the principal did since."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'policyArn', requestParameters ->> 'policyName') AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'userName', requestParameters ->> 'roleName', requestParameters ->> 'groupName') AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('DetachUserPolicy', 'DetachRolePolicy', 'DetachGroupPolicy', 'DeleteUserPolicy', 'DeleteRolePolicy', 'DeleteGroupPolicy')
  AND regexp_like(coalesce(requestParameters ->> 'policyArn', requestParameters ->> 'policyName'), '(?i)(^|[^a-z])(aws)?(deny|restrict|guardrail|prevent|forbid|block|quarantine|lockdown)|(Deny|Restrict|Guardrail|Prevent|Forbid|Block|Quarantine|Lockdown)')
  AND NOT is_infrastructure_tool()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
