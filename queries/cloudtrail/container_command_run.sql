-- title           = "Command was run inside an ECS container"
-- severity        = "low"
-- tags            = ["attack.execution", "attack.t1609"]
-- remedy          = "Ask the operator; read the session's log if ECS Exec logging is on. If nobody ran it: stop the task, revoke the sessions of the principal, and turn off execute command for the service."
-- false_positives = "Operators."
SELECT eventTime,
       requestParameters ->> 'command' AS command,
       requestParameters ->> 'container' AS container,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'task' AS resource,
       -- operators have sessions; a key that never ends is what is found and stolen
       CASE WHEN (userIdentity.accessKeyId LIKE 'AKIA%' OR userIdentity.type = 'FederatedUser') OR is_by_hand() AND NOT is_person() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'ecs.amazonaws.com'
  AND eventName = 'ExecuteCommand'
  AND errorCode IS NULL
