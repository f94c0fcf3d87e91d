-- title    = "Instance profile of a running EC2 instance was set or replaced"
-- severity = "medium"
-- tags     = ["attack.privilege_escalation", "attack.t1098.003", "attack.persistence"]
-- remedy   = "Compare what the new role may do with what the instance needs; put the earlier profile back and look at what the role did since."
SELECT eventTime,
       eventName,
       errorCode,
       coalesce(requestParameters -> 'AssociateIamInstanceProfileRequest' -> 'IamInstanceProfile' ->> 'Arn', requestParameters -> 'AssociateIamInstanceProfileRequest' -> 'IamInstanceProfile' ->> 'Name', requestParameters -> 'ReplaceIamInstanceProfileAssociationRequest' -> 'IamInstanceProfile' ->> 'Arn', requestParameters -> 'ReplaceIamInstanceProfileAssociationRequest' -> 'IamInstanceProfile' ->> 'Name') AS profile,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters -> 'AssociateIamInstanceProfileRequest' ->> 'InstanceId', requestParameters -> 'ReplaceIamInstanceProfileAssociationRequest' ->> 'AssociationId', requestParameters ->> 'instanceProfileName', requestParameters ->> 'instanceId') AS resource,
       CASE WHEN errorCode IS NOT NULL THEN 'low'
            -- admin_role_given_to_compute and admin_role_given_to_service tell it
            WHEN regexp_like(requestParameters, '(?i)"(arn|name|roleName)"\s*:\s*"([^"]*[^a-z"])?(admins?|administrators?|administratoraccess|poweruser(access)?)([^a-z]|$)') THEN 'low'
            ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL AND eventName = 'AddRoleToInstanceProfile' THEN 'Person put a role into an instance profile'
            WHEN errorCode IS NULL THEN 'Instance profile of a running EC2 instance was set or replaced'
            ELSE 'Somebody tried to set or replace the instance profile of an EC2 instance' END AS title
FROM cloudtrail
WHERE eventSource IN ('ec2.amazonaws.com', 'iam.amazonaws.com', 'ssm.amazonaws.com')
  AND eventName IN ('AssociateIamInstanceProfile', 'ReplaceIamInstanceProfileAssociation', 'AddRoleToInstanceProfile', 'UpdateManagedInstanceRole')
  -- the console and pipelines make a profile with each role for instances
  AND (eventName <> 'AddRoleToInstanceProfile'
       OR is_by_hand_or_script()
          AND sessionCredentialFromConsole IS NOT TRUE
          AND userIdentity.invokedBy IS NULL
          AND NOT regexp_like(coalesce(userAgent, ''), 'Terraform|OpenTofu|Pulumi|Packer|aws-cdk|aws-sam-cli|eksctl'))
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
