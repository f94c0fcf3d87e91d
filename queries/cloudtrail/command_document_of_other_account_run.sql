-- title           = "Command or automation document of another account was run"
-- severity        = "medium"
-- tags            = ["attack.execution", "attack.lateral_movement", "attack.t1651"]
-- remedy          = "Read the document: who owns it may change what it does. Look at the instances it ran on."
-- false_positives = "Documents that another account of your own shares."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'instanceIds', requestParameters ->> 'targets') AS instances,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'documentName', requestParameters ->> 'name') AS resource
FROM cloudtrail
WHERE eventSource = 'ssm.amazonaws.com'
  AND eventName IN ('SendCommand', 'StartAutomationExecution', 'CreateAssociation')
  AND regexp_like(without_own(coalesce(requestParameters ->> 'documentName', requestParameters ->> 'name'), account), ':[0-9]{12}:document/')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
