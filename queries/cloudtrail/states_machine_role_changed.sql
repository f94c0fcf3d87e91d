-- title           = "State machine was given another role"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.privilege_escalation", "attack.execution", "attack.t1098", "attack.t1648"]
-- remedy          = "Compare the role with the reviewed one, and its definition too: whoever starts the machine acts with that role. Put the earlier role back if nobody reviewed the new one, and look at the executions since."
-- false_positives = "The console and Terraform send the role with every update, also when it stays the same."
SELECT requestParameters ->> 'stateMachineArn' AS resource,
       requestParameters ->> 'roleArn' AS role,
       userAgent,
       -- admin_role_given_to_service tells it
       CASE WHEN regexp_like(requestParameters ->> 'roleArn', '(?i):role/([^"]*[^a-z])?(admins?|administrators?|administratoraccess|poweruser(access)?)([^a-z]|$)') THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'states.amazonaws.com'
  AND eventName = 'UpdateStateMachine'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND json_contains(requestParameters, 'roleArn')
