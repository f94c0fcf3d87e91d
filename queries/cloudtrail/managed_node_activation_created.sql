-- title           = "Activation was made by which machines outside of EC2 become managed nodes"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.command_and_control", "attack.t1219", "attack.t1651"]
-- remedy          = "Ask who needs it. Whoever has the activation code may register a machine that gets the credentials of the role: delete the activation, and deregister nodes that nobody knows."
-- false_positives = "Servers of your own data center."
SELECT eventTime,
       eventName,
       requestParameters ->> 'iamRole' AS role,
       requestParameters ->> 'registrationLimit' AS machines,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements ->> 'activationId', account) AS resource
FROM cloudtrail
WHERE eventSource = 'ssm.amazonaws.com'
  AND eventName = 'CreateActivation'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
