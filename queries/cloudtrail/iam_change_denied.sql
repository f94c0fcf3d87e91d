-- title           = "Change of rights or credentials in IAM was refused"
-- severity        = "low"
-- tags            = ["attack.privilege_escalation", "attack.persistence", "attack.t1098"]
-- remedy          = "Ask the principal what it was for. One refusal is a missing right; several different ones from a user are somebody trying doors: disable the key."
-- false_positives = "New pipelines and people who click through the console."
SELECT eventTime, eventName, errorMessage,
       coalesce(requestParameters ->> 'userName', requestParameters ->> 'roleName', requestParameters ->> 'groupName', requestParameters ->> 'policyArn') AS target,
       sourceIPAddress, userAgent,
       coalesce(CASE WHEN json_contains(requestParameters, 'userName') THEN 'user/' || (requestParameters ->> 'userName')
                     WHEN json_contains(requestParameters, 'roleName') THEN 'role/' || (requestParameters ->> 'roleName')
                     WHEN json_contains(requestParameters, 'groupName') THEN 'group/' || (requestParameters ->> 'groupName') END,
                requestParameters ->> 'policyArn', userIdentity.arn) AS resource,
       CASE WHEN userIdentity.type = 'IAMUser' OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL
                 OR is_by_hand() AND NOT is_person() THEN 'medium'
            -- what no function or container of an application ever needs
            WHEN regexp_like(userAgent, 'exec-env/AWS_(Lambda|ECS)')
                 AND regexp_like(eventName, '^(CreateAccessKey|UpdateAccessKey|CreateLoginProfile|UpdateLoginProfile|CreateUser|AddUserToGroup|Attach(User|Group)Policy|Put(User|Group)Policy|UpdateAssumeRolePolicy|Create(SAML|OpenIDConnect)Provider|DeactivateMFADevice)$')
                 AND NOT regexp_like(userIdentity.sessionContext.sessionIssuer.userName, '(?i)rotat|key|user|account|access|accelerator|control-?tower|custom-?resource|cfn|cdk|stack|vending|provision|bootstrap|baseline|landing|automation|remediat|custodian|janitor|clean-?up|security|iam|admin|platform|deploy|pipeline|codebuild|runner|[/_-](ops|infra|iac|tf)([/_-]|$)') THEN 'medium'
            ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('AddUserToGroup', 'AttachGroupPolicy', 'AttachRolePolicy', 'AttachUserPolicy', 'CreateAccessKey', 'CreateLoginProfile',
                    'CreateOpenIDConnectProvider', 'CreatePolicyVersion', 'CreateRole', 'CreateSAMLProvider', 'CreateServiceSpecificCredential', 'CreateUser',
                    'DeactivateMFADevice', 'DeleteAccountPasswordPolicy', 'DeleteRolePermissionsBoundary', 'DeleteUserPermissionsBoundary',
                    'PutGroupPolicy', 'PutRolePolicy', 'PutUserPolicy', 'SetDefaultPolicyVersion', 'UpdateAccessKey', 'UpdateAssumeRolePolicy',
                    'UpdateLoginProfile', 'UpdateSAMLProvider', 'UploadSigningCertificate', 'UploadSSHPublicKey', 'AddClientIDToOpenIDConnectProvider',
                    'UpdateOpenIDConnectProviderThumbprint', 'UpdateAccountPasswordPolicy', 'AddRoleToInstanceProfile')
  AND errorCode IN ('AccessDenied', 'AccessDeniedException', 'Client.UnauthorizedOperation')
