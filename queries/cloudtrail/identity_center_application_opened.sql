-- title           = "Application of IAM Identity Center was opened to everybody, or changed by hand"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.t1098", "attack.privilege_escalation", "attack.t1548.005", "attack.t1550.001"]
-- remedy          = "Compare who may use the application and which tokens it takes with what its owner asked for; take back what nobody asked for, and end the sessions begun through it."
-- false_positives = "The administrator of Identity Center who adds an application."
SELECT eventTime,
       eventName,
       requestParameters ->> 'principalId' AS principal,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'applicationArn' AS resource
FROM cloudtrail
WHERE eventSource = 'sso.amazonaws.com'
  AND eventName IN ('PutApplicationAssignmentConfiguration', 'PutApplicationAuthenticationMethod', 'PutApplicationGrant', 'PutApplicationAccessScope', 'CreateApplicationAssignment')
  AND (eventName IN ('PutApplicationAuthenticationMethod', 'PutApplicationGrant', 'PutApplicationAccessScope')
           AND NOT is_infrastructure_tool()
       OR eventName = 'CreateApplicationAssignment'
           AND NOT is_infrastructure_tool()
           AND is_by_hand_or_script()
       OR requestParameters ->> 'assignmentRequired' = 'false')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
