-- title           = "Policy that allows nearly everything was attached by hand"
-- severity        = "medium"
-- tags            = ["attack.privilege_escalation", "attack.persistence", "attack.t1098.003"]
-- remedy          = "Take it off if nobody claims it, and look at what the principal did since."
-- false_positives = "Administrators who give a colleague access."
SELECT eventTime,
       eventName,
       requestParameters ->> 'policyArn' AS policy,
       sourceIPAddress,
       userAgent,
       coalesce('user/' || (requestParameters ->> 'userName'), 'role/' || (requestParameters ->> 'roleName'), 'group/' || (requestParameters ->> 'groupName')) AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('AttachUserPolicy', 'AttachRolePolicy', 'AttachGroupPolicy')
  AND regexp_like(requestParameters ->> 'policyArn', '^arn:[a-z-]+:iam::aws:policy/(PowerUserAccess|AdministratorAccess-[A-Za-z]+|AmazonEC2FullAccess|AmazonS3FullAccess|AmazonRDSFullAccess|AmazonDynamoDBFullAccess(_v2)?|AmazonSESFullAccess|AmazonBedrockFullAccess|AWSLambda_FullAccess|AWSCloudFormationFullAccess|AWSCloudTrail_FullAccess|AWSBackupFullAccess|AWSKeyManagementServicePowerUser|AWSSSO(MasterAccount|Directory)Administrator|SecretsManagerReadWrite|AmazonSSMFullAccess|AWSOrganizationsFullAccess|job-function/(SystemAdministrator|DatabaseAdministrator|NetworkAdministrator))$')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND (regexp_like(requestParameters ->> 'policyArn', '/(PowerUserAccess|AWSOrganizationsFullAccess|AWSSSO(MasterAccount|Directory)Administrator)$')
       OR is_by_hand_or_script())
