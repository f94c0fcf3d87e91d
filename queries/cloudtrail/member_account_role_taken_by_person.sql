-- title           = "Person took the administrator's role of a member account"
-- severity        = "medium"
-- tags            = ["attack.lateral_movement", "attack.privilege_escalation", "attack.t1078.004", "attack.t1550.001", "attack.t1548.005"]
-- remedy          = "Ask whoever it was; look at what the session did in the account. Give people access through IAM Identity Center, and keep this role for emergencies."
-- false_positives = "Small organizations that administer their accounts so."
SELECT eventTime,
       eventName,
       requestParameters ->> 'roleArn' AS role,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'roleArn' AS resource
FROM cloudtrail
WHERE eventSource = 'sts.amazonaws.com'
  AND eventName = 'AssumeRole'
  AND regexp_like(requestParameters ->> 'roleArn', ':role/(OrganizationAccountAccessRole|AWSControlTowerExecution|AWSAFTExecution)$')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND is_by_hand()
