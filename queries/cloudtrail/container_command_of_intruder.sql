-- title    = "Container was defined or run with a command that intruders use"
-- severity = "high"
-- tags     = ["attack.execution", "attack.t1610", "attack.t1059.004", "attack.credential_access", "attack.t1552.005"]
-- remedy   = "Stop the task, take the definition away (DeregisterTaskDefinition), revoke the sessions of the task's role, and find out who may register such."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'containerDefinitions', requestParameters ->> 'overrides', requestParameters ->> 'containerProperties', requestParameters ->> 'containerOverrides') AS command,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'family', requestParameters ->> 'taskDefinition', requestParameters ->> 'jobDefinitionName', requestParameters ->> 'jobName') AS resource
FROM cloudtrail
WHERE eventSource IN ('ecs.amazonaws.com', 'batch.amazonaws.com')
  AND eventName IN ('RegisterTaskDefinition', 'RunTask', 'RegisterJobDefinition', 'SubmitJob')
  AND regexp_like(requestParameters, '169[.]254[.]170[.]2|169[.]254[.]169[.]254/latest/meta-data/iam|AWS_CONTAINER_CREDENTIALS_(RELATIVE|FULL)_URI|/dev/tcp/|bash -i|\bnc(at)? -[a-z]*e|(curl|wget) [^"]*[|] *(ba)?sh\b')
  AND errorCode IS NULL
