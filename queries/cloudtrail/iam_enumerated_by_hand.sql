-- title           = "Person went through users, roles and policies with a tool"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.t1087.004", "attack.t1069.003"]
-- remedy          = "Ask whoever it was; a tool looks so for a way to more rights. Look at what was tried next."
-- false_positives = "Audits that a person runs."
SELECT userIdentity.arn AS who,
       count(DISTINCT eventName) AS apis,
       sample(eventName) AS calls,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(userIdentity.arn) AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('ListUsers', 'ListRoles', 'ListGroups', 'ListPolicies', 'GetAccountSummary', 'ListAttachedUserPolicies', 'ListUserPolicies', 'ListGroupsForUser',
                      'ListAttachedRolePolicies', 'ListRolePolicies', 'GetUserPolicy', 'GetRolePolicy', 'GetPolicyVersion', 'ListAccessKeys', 'ListMFADevices', 'SimulatePrincipalPolicy', 'GetAccountAuthorizationDetails', 'ListAccountAliases', 'ListInstanceProfiles', 'ListAttachedGroupPolicies', 'ListGroupPolicies')
  AND userIdentity.invokedBy IS NULL
  AND sessionCredentialFromConsole IS NOT TRUE
  AND coalesce(userAgent, '') NOT LIKE '%Terraform%'
  -- no pipeline asks so much at a command line
  AND (is_person()
       OR userAgent LIKE 'aws-cli/%'
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT eventName) >= 8
    -- what may I do
    OR count(*) FILTER (WHERE eventName = 'SimulatePrincipalPolicy') >= 10
    -- few questions, asked of one after the other
    OR count(DISTINCT coalesce(requestParameters ->> 'roleName', requestParameters ->> 'userName', requestParameters ->> 'groupName')) >= 30
