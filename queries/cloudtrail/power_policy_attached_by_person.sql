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
  AND regexp_like(requestParameters ->> 'policyArn', '^arn:[a-z-]+:iam::aws:policy/(PowerUserAccess|AmazonEC2FullAccess|AmazonS3FullAccess|AWSLambda_FullAccess|SecretsManagerReadWrite|AmazonSSMFullAccess|AWSOrganizationsFullAccess|job-function/(SystemAdministrator|DatabaseAdministrator))$')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND (regexp_like(requestParameters ->> 'policyArn', '/(PowerUserAccess|AWSOrganizationsFullAccess)$')
       OR is_by_hand_or_script())
