-- title           = "Role of stack sets was taken by somebody else than CloudFormation"
-- severity        = "medium"
-- tags            = ["attack.lateral_movement", "attack.privilege_escalation", "attack.defense_evasion", "attack.t1078.004", "attack.t1550.001", "attack.t1548.005"]
-- remedy          = "Ask whoever it was; look at what the session, and stacks that it made, did in the account: other rules weigh it as a rollout. Let the role's trust name the administration role of stack sets alone."
-- false_positives = "An administrator who repairs a stack by hand."
SELECT eventTime,
       requestParameters ->> 'roleArn' AS role,
       requestParameters ->> 'roleSessionName' AS session_name,
       errorCode,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'roleArn' AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Role of stack sets was taken by somebody else than CloudFormation'
            ELSE 'Somebody tried to take the role of stack sets' END AS title
FROM cloudtrail
WHERE eventSource = 'sts.amazonaws.com'
  AND eventName = 'AssumeRole'
  AND regexp_like(requestParameters ->> 'roleArn', ':role/(.*/)?(AWSCloudFormationStackSetExecutionRole|stacksets-exec-[0-9a-f]+)$')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%')
  AND userIdentity.invokedBy IS NULL
  -- of the account from which it comes another one sees little more than this
  AND sourceIPAddress NOT LIKE '%cloudformation.amazonaws.com'
