-- title           = "Policy of the organization was changed by hand, or a person moved or made an account"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventName"]
-- tags            = ["attack.defense_evasion", "attack.persistence", "attack.privilege_escalation", "attack.t1666", "attack.t1136.003", "attack.t1562"]
-- remedy          = "Compare the policy with the one before; move the account back if nobody claims the change, and look at what it did without the guard rails of its unit."
-- false_positives = "Administrators of the organization at work."
SELECT eventTime,
       eventName,
       requestParameters AS change,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'accountId', requestParameters ->> 'policyId', requestParameters ->> 'servicePrincipal', requestParameters ->> 'organizationalUnitId', requestParameters ->> 'targetId', requestParameters ->> 'rootId', requestParameters ->> 'name', account) AS resource,
       -- organization_account_joined and organization_policy_emptied tell it
       CASE WHEN eventName = 'InviteAccountToOrganization'
                 OR eventName = 'UpdatePolicy' AND requestParameters ->> 'content' LIKE '%"Statement"%' AND NOT regexp_like(requestParameters ->> 'content', '"Effect"\s*:\s*"Deny"') THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN eventName = 'UpdatePolicy' THEN 'Policy of the organization was changed by hand'
            WHEN eventName = 'AttachPolicy' THEN 'Policy of the organization was attached by hand'
            WHEN eventName = 'MoveAccount' THEN 'Account was moved within the organization by hand'
            WHEN eventName IN ('CreateAccount', 'CreateGovCloudAccount') THEN 'Account was made in the organization by hand'
            WHEN eventName = 'InviteAccountToOrganization' THEN 'Account was invited to the organization by hand'
            WHEN eventName = 'DisableAWSServiceAccess' THEN 'Service lost its access to the organization by hand'
            ELSE 'Administration of the organization was delegated by hand' END AS title
FROM cloudtrail
WHERE eventSource = 'organizations.amazonaws.com'
  AND eventName IN ('UpdatePolicy', 'MoveAccount', 'CreateAccount', 'CreateGovCloudAccount', 'InviteAccountToOrganization', 'DisableAWSServiceAccess', 'AttachPolicy', 'PutResourcePolicy')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND (eventName = 'PutResourcePolicy'
       OR is_by_hand_or_script())
