-- title           = "Login of an instance was reset or added, or its disk changed offline, by an AWS runbook"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.t1098", "attack.execution", "attack.t1651", "attack.credential_access", "attack.t1552"]
-- remedy          = "Ask the owner; look at the execution's output (the new password or key is in a parameter), change it, and read what was done on the instance since."
-- false_positives = "Somebody who locked themselves out of their instance."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'documentName' AS resource
FROM cloudtrail
WHERE eventSource = 'ssm.amazonaws.com'
  AND eventName IN ('StartAutomationExecution', 'SendCommand')
  AND regexp_like(requestParameters ->> 'documentName', '(^|/)(AWSSupport-(ResetAccess|StartEC2RescueWorkflow|ExecuteEC2Rescue|RunEC2RescueForWindowsTool)|AWSFleetManager-(CreateUser|CreateGroup|AddUsersToGroups|CreateWindowsRegistryValue))$')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
