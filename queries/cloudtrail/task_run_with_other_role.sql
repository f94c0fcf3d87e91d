-- title           = "Container task was run with another role than defined"
-- severity        = "medium"
-- tags            = ["attack.privilege_escalation", "attack.execution", "attack.t1648", "attack.t1610", "attack.t1098.003"]
-- remedy          = "Ask who started the task; stop it, look at what the role did since, and forbid iam:PassRole on that role."
SELECT eventTime,
       eventName,
       requestParameters -> 'overrides' ->> 'taskRoleArn' AS role,
       requestParameters -> 'overrides' ->> 'containerOverrides' AS overrides,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'taskDefinition' AS resource
FROM cloudtrail
WHERE eventSource = 'ecs.amazonaws.com'
  AND eventName IN ('RunTask', 'StartTask')
  AND (json_contains(requestParameters, 'overrides', 'taskRoleArn')
       OR json_contains(requestParameters, 'overrides', 'executionRoleArn'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
