-- title           = "What computes was set up in many Regions by one principal"
-- severity        = "medium"
-- confidence      = "medium"
-- dedupe          = "7d"
-- tags            = ["attack.impact", "attack.t1496.001", "attack.t1496", "attack.defense_evasion", "attack.t1535", "attack.t1578"]
-- remedy          = "Disable the key or revoke the sessions, delete what was set up in all Regions, and look for roles, images and repositories made beside it."
-- false_positives = "A deployment by script to the Regions that you work in; one finding a week; put its role in the suppress list."
-- description     = "Who lives off other people's accounts takes what every Region allows, of services that are seldom watched: containers, notebooks, builds, web sites, batch jobs, spot instances. Launches of instances are told by another rule."
SELECT userIdentity.arn AS who,
       count(DISTINCT awsRegion) AS regions,
       sample(awsRegion) AS some_regions,
       count(DISTINCT eventSource) AS services,
       sample(eventName) AS calls,
       count(*) FILTER (WHERE errorCode IS NULL) AS made,
       count(*) FILTER (WHERE errorCode IS NOT NULL) AS refused,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(userIdentity.arn) AS resource,
       CASE WHEN count(*) FILTER (WHERE errorCode IS NULL AND (is_person() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)) > 0 THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN count(*) FILTER (WHERE errorCode IS NULL) > 0 THEN 'What computes was set up in many Regions by one principal'
            ELSE 'Somebody tried to set up what computes in many Regions' END AS title
FROM cloudtrail
WHERE eventSource IN ('ec2.amazonaws.com', 'autoscaling.amazonaws.com', 'ecs.amazonaws.com', 'batch.amazonaws.com', 'sagemaker.amazonaws.com', 'lightsail.amazonaws.com', 'elasticmapreduce.amazonaws.com',
                      'workspaces.amazonaws.com', 'cloud9.amazonaws.com', 'amplify.amazonaws.com', 'codebuild.amazonaws.com', 'lambda.amazonaws.com', 'apprunner.amazonaws.com', 'gamelift.amazonaws.com')
  AND eventName IN ('RequestSpotInstances', 'RequestSpotFleet', 'CreateFleet', 'CreateAutoScalingGroup', 'RunTask', 'CreateService', 'CreateComputeEnvironment', 'CreateNotebookInstance', 'CreateTrainingJob',
                    'CreateProcessingJob', 'CreateInstances', 'RunJobFlow', 'CreateWorkspaces', 'CreateEnvironmentEC2', 'CreateApp', 'StartBuild', 'CreateFunction20150331')
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
GROUP BY userIdentity.arn, account, is_by_hand_or_script(), hop(eventTime, INTERVAL '20 minutes', INTERVAL '1 hour')
HAVING count(DISTINCT awsRegion) >= 4
