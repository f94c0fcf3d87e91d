-- title           = "Credentials of an instance asked who and what there is in the account"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.discovery", "attack.t1087.004", "attack.t1069.003", "attack.t1580"]
-- remedy          = "Find out which program on the instance asks this. If none: isolate the instance, revoke the sessions of its role, and look at how it was entered."
-- false_positives = "Posture scanners that run on an instance; put their roles in the suppress list. Vaults that make users for a while (low)."
-- description     = "A program knows whom it works for and what it may. Who has taken its credentials does not, and asks IAM and Organizations; one refused question is enough behind GetCallerIdentity."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS resource,
       count(DISTINCT eventName) FILTER (WHERE eventName <> 'DeleteUser') AS questions,
       sample(eventName) AS calls,
       count(*) FILTER (WHERE errorCode IS NOT NULL) AS refused,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       -- Vault and the like make users for a while: who takes one down asks first what it has
       CASE WHEN count(*) FILTER (WHERE eventName = 'DeleteUser' AND errorCode IS NULL) > 0
             AND count(*) FILTER (WHERE eventName NOT IN ('GetCallerIdentity', 'DeleteUser', 'ListAccessKeys', 'ListAttachedUserPolicies', 'ListUserPolicies', 'ListGroupsForUser', 'ListMFADevices')) = 0 THEN 'low'
            ELSE 'medium' END AS severity
FROM cloudtrail
WHERE (userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL
       OR regexp_like(userIdentity.arn, '/i-[0-9a-f]{8,17}$'))
  AND userIdentity.invokedBy IS NULL
  AND regexp_like(eventSource, '^(iam|organizations|sts|sso|identitystore)[.]amazonaws[.]com$')
  AND regexp_like(eventName, '^(GetCallerIdentity|DeleteUser|List(Users|Roles|Groups|Policies|AccountAliases|(Attached)?(User|Role|Group)Policies|GroupsForUser|AccessKeys|MFADevices|VirtualMFADevices|InstanceProfiles|EntitiesForPolicy|SAMLProviders|OpenIDConnectProviders|Accounts|Roots|OrganizationalUnitsForParent|DelegatedAdministrators|PermissionSets|Instances)|Get(AccountSummary|AccountAuthorizationDetails|AccountPasswordPolicy|CredentialReport|UserPolicy|RolePolicy|GroupPolicy|PolicyVersion|LoginProfile)|Simulate(Principal|Custom)Policy|DescribeOrganization)$')
  AND NOT regexp_like(coalesce(userAgent, ''), 'Terraform|OpenTofu|Pulumi|[Pp]acker|aws-cdk|aws-sam-cli')
GROUP BY coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT eventName) FILTER (WHERE eventName NOT IN ('GetCallerIdentity', 'DeleteUser')) >= 3
    OR count(*) FILTER (WHERE eventName = 'GetCallerIdentity') >= 1
       AND count(*) FILTER (WHERE eventName NOT IN ('GetCallerIdentity', 'DeleteUser') AND errorCode LIKE 'AccessDenied%') >= 1
