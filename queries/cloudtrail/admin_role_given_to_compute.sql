-- title      = "Role named as administrator was given to compute"
-- severity   = "medium"
-- tags       = ["attack.privilege_escalation", "attack.persistence", "attack.t1098.003", "attack.t1548"]
-- remedy     = "Check whether the workload needs such a role: who can log in to it or change its code now has these rights. Give it a role of its own."
-- confidence = "low"
SELECT eventTime, eventSource, eventName,
       coalesce(requestParameters ->> 'role',
                json_get_str(requestParameters, 'iamInstanceProfile', 'arn'), json_get_str(requestParameters, 'iamInstanceProfile', 'name'),
                json_get_str(requestParameters, 'AssociateIamInstanceProfileRequest', 'IamInstanceProfile', 'Name'),
                json_get_str(requestParameters, 'AssociateIamInstanceProfileRequest', 'IamInstanceProfile', 'Arn'),
                json_get_str(requestParameters, 'ReplaceIamInstanceProfileAssociationRequest', 'IamInstanceProfile', 'Name'),
                json_get_str(requestParameters, 'ReplaceIamInstanceProfileAssociationRequest', 'IamInstanceProfile', 'Arn')) AS given_role,
       sourceIPAddress, userAgent,
       coalesce(json_get_str(responseElements, 'functionArn'),
                json_get_str(responseElements, 'instancesSet', 'items', 0, 'instanceId'),
                json_get_str(requestParameters, 'AssociateIamInstanceProfileRequest', 'InstanceId'),
                json_get_str(requestParameters, 'ReplaceIamInstanceProfileAssociationRequest', 'AssociationId'),
                requestParameters ->> 'functionName', account) AS resource,
       -- admin_role_given_to_service tells it
       CASE WHEN eventName = 'CreateFunction20150331' AND regexp_like(requestParameters, '(?i)(:(role|instance-profile)/|"(roleName|jobFlowRole|iamInstanceProfile|name)"\s*:\s*")([^"]*[^a-z"])?(admins?|administrators?|administratoraccess|poweruser(access)?)([^a-z]|$)|(?-i:(:(role|instance-profile)/|"(roleName|jobFlowRole|iamInstanceProfile|instanceProfileName)"\s*:\s*")[^"]*Admin(istrator)?s?([A-Z]|[^A-Za-z]|$))') THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource IN ('ec2.amazonaws.com', 'lambda.amazonaws.com')
  AND eventName IN ('RunInstances', 'AssociateIamInstanceProfile', 'ReplaceIamInstanceProfileAssociation', 'CreateFunction20150331')
  -- most calls name no such role anywhere, which is found sooner than the role
  AND regexp_like(requestParameters, '(?i)admin|superuser|poweruser') -- equivalent: each word that the next condition finds has one of these
  AND regexp_like(
        coalesce(requestParameters ->> 'role',
                 json_get_str(requestParameters, 'iamInstanceProfile', 'arn'), json_get_str(requestParameters, 'iamInstanceProfile', 'name'),
                 json_get_str(requestParameters, 'AssociateIamInstanceProfileRequest', 'IamInstanceProfile', 'Name'),
                 json_get_str(requestParameters, 'AssociateIamInstanceProfileRequest', 'IamInstanceProfile', 'Arn'),
                 json_get_str(requestParameters, 'ReplaceIamInstanceProfileAssociationRequest', 'IamInstanceProfile', 'Name'),
                 json_get_str(requestParameters, 'ReplaceIamInstanceProfileAssociationRequest', 'IamInstanceProfile', 'Arn')),
        '(?i)(^|[^a-z])(admins?|administrators?|administratoraccess|superusers?|poweruser(access)?|fulladmin)([^a-z]|$)|(?-i:Admin(istrator)?s?([A-Z]|[^A-Za-z]|$))')
  AND errorCode IS NULL
