-- title           = "ECS task definition was given the host"
-- severity        = "low"
-- tags            = ["attack.privilege_escalation", "attack.t1611", "attack.execution", "attack.t1610"]
-- remedy          = "Read the task definition; run it without privileged mode, host process namespace and root mounts unless it is an agent that needs them."
-- false_positives = "Monitoring agents."
SELECT eventTime,
       requestParameters ->> 'pidMode' AS pid_mode,
       requestParameters ->> 'volumes' AS volumes,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements -> 'taskDefinition' ->> 'taskDefinitionArn', requestParameters ->> 'family') AS resource,
       CASE WHEN is_by_hand()
                 AND userIdentity.invokedBy IS NULL
                 AND NOT is_infrastructure_tool() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'ecs.amazonaws.com'
  AND eventName = 'RegisterTaskDefinition'
  AND errorCode IS NULL
  AND (requestParameters ->> 'pidMode' = 'host'
       OR array_any_match(json_get_array(requestParameters, 'containerDefinitions'), c -> c ->> 'privileged' = 'true')
       OR array_any_match(json_get_array(requestParameters, 'volumes'), v -> v -> 'host' ->> 'sourcePath' IN ('/', '/etc', '/root', '/var/run/docker.sock')))
