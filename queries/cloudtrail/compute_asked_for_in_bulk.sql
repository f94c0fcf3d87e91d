-- title           = "Person asked for much compute at once through another service than instances"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1496.001", "attack.t1496", "attack.t1578.002"]
-- remedy          = "Ask the person; delete the fleet, group or job if nobody claims it, and look at the bill of today."
-- false_positives = "Training of models; load tests; fleets of games that are made with instances of a usual type and size (low)."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS what,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'autoScalingGroupName', requestParameters ->> 'computeEnvironmentName', requestParameters ->> 'notebookInstanceName', requestParameters ->> 'trainingJobName', requestParameters ->> 'name', requestParameters ->> 'endpointConfigName', requestParameters ->> 'provisionedModelName', requestParameters ->> 'nodegroupName', requestParameters ->> 'serviceName', requestParameters ->> 'service', requestParameters ->> 'taskDefinition', requestParameters ->> 'cluster', requestParameters ->> 'clusterName', requestParameters ->> 'hyperParameterTuningJobName', requestParameters ->> 'processingJobName', requestParameters -> 'instanceNames' ->> 0, responseElements ->> 'spotFleetRequestId', responseElements ->> 'jobFlowId', account) AS resource,
       -- a fleet of games begins with one instance; that an account begins with games is told by another rule
       CASE WHEN eventSource = 'gamelift.amazonaws.com' AND eventName = 'CreateFleet'
                 AND regexp_like(requestParameters ->> 'eC2InstanceType', '^[a-fh-oq-z][0-9a-z]*\.(2x|4x|x)?large$') THEN 'low' ELSE 'medium' END AS severity,
       'Person asked for much compute at once: ' || eventName AS title
FROM cloudtrail
WHERE eventSource IN ('ec2.amazonaws.com', 'autoscaling.amazonaws.com', 'batch.amazonaws.com', 'gamelift.amazonaws.com', 'sagemaker.amazonaws.com', 'bedrock.amazonaws.com', 'lightsail.amazonaws.com', 'elasticmapreduce.amazonaws.com', 'ecs.amazonaws.com', 'eks.amazonaws.com',
                      'appstream.amazonaws.com', 'workspaces.amazonaws.com', 'cloud9.amazonaws.com', 'deadline.amazonaws.com')
  AND eventName IN ('RequestSpotFleet', 'CreateFleet', 'RequestSpotInstances', 'CreateAutoScalingGroup', 'UpdateAutoScalingGroup', 'CreateComputeEnvironment', 'CreateNotebookInstance', 'CreateTrainingJob', 'CreateEndpointConfig',
                      'CreateProvisionedModelThroughput', 'CreateInstances', 'RunJobFlow', 'CreateService', 'UpdateService', 'RunTask', 'CreateNodegroup', 'UpdateNodegroupConfig', 'CreateWorkspaces', 'CreateEnvironmentEC2', 'CreateCapacityReservation',
                    'CreateCluster', 'CreateHyperParameterTuningJob', 'CreateProcessingJob', 'UpdateFleetCapacity')
  AND (eventName IN ('RequestSpotFleet', 'CreateProvisionedModelThroughput')
       OR eventSource = 'gamelift.amazonaws.com'
          AND (eventName <> 'UpdateFleetCapacity'
               OR json_get_int(requestParameters, 'desiredInstances') >= 20)
       OR regexp_like(requestParameters, '"(ml\.)?(p[2-6][a-z]*|g[3-6][a-z]*|trn[0-9][a-z]*|inf[0-9][a-z]*)\.|"[a-z0-9.-]+\.(1[2689]|24|32|48)xlarge"')
          -- one graphics card for an hour of training is no bulk
          AND NOT (eventName = 'CreateTrainingJob'
                   AND json_get_int(requestParameters, 'resourceConfig', 'instanceCount') = 1
                   AND regexp_like(requestParameters, '"ml\.g[3-6][a-z]*\.[248]?xlarge"'))
       OR regexp_like(requestParameters, '(?i)"(desiredCapacity|desiredCount|desiredSize|minSize|TotalTargetCapacity|instanceCount|maxvCpus|maxWorkerCount)"\s*:\s*([2-9][0-9]|[0-9]{3,})')
       OR regexp_like(requestParameters, '"(bundleId|instanceType)"\s*:\s*"([0-9]xlarge_|gpu_|stream\.graphics)')
       OR json_length(requestParameters, 'instanceNames') >= 5
       OR json_length(requestParameters, 'workspaces') >= 10)
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
