-- title           = "Root user made an API call"
-- severity        = "medium"
-- tags            = ["attack.privilege_escalation", "attack.persistence", "attack.t1078.004", "attack.t1078.001", "cis.1.7"]
-- remedy          = "Ask the owner of the account what it was for and have it done with a role from now on; if nobody knows, treat the root credentials as stolen."
-- false_positives = "Closing an account, changing its support plan, restoring a locked bucket policy: tasks that need root."
SELECT eventTime, eventSource, eventName, sourceIPAddress, userAgent, errorCode,
       userIdentity.accessKeyId,
       userIdentity.arn AS resource,
       CASE WHEN readOnly THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE userIdentity.type = 'Root'
  AND userIdentity.invokedBy IS NULL
  AND eventSource <> 'signin.amazonaws.com'
