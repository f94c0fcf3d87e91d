-- title           = "Person ran code on a fleet through a service that deploys or computes"
-- severity        = "low"
-- tags            = ["attack.execution", "attack.t1651", "attack.t1072"]
-- remedy          = "Look at the step, revision or container that was run, and with which role."
-- false_positives = "Engineers at work."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'jobFlowId', requestParameters ->> 'applicationName', requestParameters ->> 'virtualClusterId', requestParameters ->> 'environmentName', requestParameters ->> 'jobId', requestParameters ->> 'targetArn', requestParameters ->> 'jobQueue', requestParameters ->> 'editorId', requestParameters ->> 'workGroup', requestParameters ->> 'codeInterpreterIdentifier', requestParameters ->> 'baselineId', requestParameters ->> 'name') AS resource,
       CASE WHEN userIdentity.accessKeyId LIKE 'AKIA%' THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource IN ('elasticmapreduce.amazonaws.com', 'codedeploy.amazonaws.com', 'emr-containers.amazonaws.com', 'greengrass.amazonaws.com', 'elasticbeanstalk.amazonaws.com', 'iot.amazonaws.com', 'batch.amazonaws.com', 'athena.amazonaws.com', 'bedrock-agentcore.amazonaws.com', 'ssm.amazonaws.com')
  AND eventName IN ('AddJobFlowSteps', 'CreateDeployment', 'StartJobRun', 'UpdateEnvironment', 'CreateJob', 'SubmitJob', 'StartNotebookExecution', 'StartSession', 'StartCodeInterpreterSession', 'RegisterDefaultPatchBaseline', 'CreatePatchBaseline', 'UpdatePatchBaseline')
  AND (eventName <> 'UpdateEnvironment'
       OR json_contains(requestParameters, 'versionLabel'))
  -- sessions of Systems Manager have a rule of their own
  AND (eventName <> 'StartSession'
       OR eventSource <> 'ssm.amazonaws.com')
  -- where machines get their packages from
  AND (eventName NOT IN ('CreatePatchBaseline', 'UpdatePatchBaseline')
       OR json_length(requestParameters, 'sources') > 0)
  -- another command than the job's own
  AND (eventName <> 'SubmitJob'
       OR json_contains(requestParameters, 'containerOverrides', 'command'))
  AND NOT is_infrastructure_tool()
  AND is_person()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
