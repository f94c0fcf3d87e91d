-- title           = "Shell into containers of ECS was switched on by hand"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.execution", "attack.lateral_movement", "attack.t1609", "attack.t1021.007"]
-- remedy          = "Ask whoever it was; if nobody claims it, switch it off again, and look for ExecuteCommand on the tasks that started since."
-- false_positives = "Developers who look for an error in what runs (low)."
SELECT eventTime,
       eventName,
       requestParameters ->> 'cluster' AS cluster,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'service', requestParameters ->> 'serviceName', requestParameters ->> 'taskDefinition') AS resource,
       CASE WHEN (userIdentity.accessKeyId LIKE 'AKIA%' OR userIdentity.type = 'FederatedUser') OR NOT is_person() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'ecs.amazonaws.com'
  AND eventName IN ('UpdateService', 'CreateService', 'RunTask')
  AND requestParameters ->> 'enableExecuteCommand' = 'true'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
