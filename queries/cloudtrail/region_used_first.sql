-- title           = "Resources were created in a Region that the account had not used for a month"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1535"]
-- remedy          = "Ask who made them. If nobody did: delete them, revoke the sessions of the principal, and deny the Region with a service control policy."
-- false_positives = "A new deployment to a Region that was planned; disaster recovery tests (low by a stack set or the role of a pipeline with Terraform)."
-- description     = "An account is known when it changed anything in these services on three days, in whichever Regions; a Region is known when anything was changed there."
SELECT account,
       awsRegion,
       sample(eventName) AS calls,
       sample(coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn)) AS principals,
       count(*) AS times,
       -- a stack set, or a pipeline that writes down what it makes
       CASE WHEN count(*) FILTER (WHERE eventName IN ('RunInstances', 'RequestSpotInstances', 'CreateFunction20150331', 'CreateCluster', 'CreateNotebookInstance', 'CreateTrainingJob', 'CreateEndpoint', 'RunTask', 'CreateService', 'CreateStack',
                                                  'RunJobFlow', 'CreateJob', 'CreateDevEndpoint', 'CreateAutoScalingGroup', 'CreateComputeEnvironment', 'CreateInstances', 'CreateProject', 'CreateFleet', 'CreateWorkspaces')
                                    AND (is_person() OR NOT is_infrastructure_tool() AND userIdentity.invokedBy IS DISTINCT FROM 'cloudformation.amazonaws.com')) = 0 THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource IN ('ec2.amazonaws.com', 'lambda.amazonaws.com', 'ecs.amazonaws.com', 'eks.amazonaws.com', 'sagemaker.amazonaws.com', 'cloudformation.amazonaws.com', 'elasticmapreduce.amazonaws.com', 'glue.amazonaws.com',
                      'autoscaling.amazonaws.com', 'batch.amazonaws.com', 'lightsail.amazonaws.com', 'codebuild.amazonaws.com', 'gamelift.amazonaws.com', 'workspaces.amazonaws.com')
  AND NOT readOnly
  AND errorCode IS NULL
GROUP BY account, awsRegion, tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(awsRegion, INTERVAL '30 days')
   AND count(*) FILTER (WHERE eventName IN ('RunInstances', 'RequestSpotInstances', 'CreateFunction20150331', 'CreateCluster', 'CreateNotebookInstance', 'CreateTrainingJob', 'CreateEndpoint', 'RunTask', 'CreateService', 'CreateStack',
                                               'RunJobFlow', 'CreateJob', 'CreateDevEndpoint', 'CreateAutoScalingGroup', 'CreateComputeEnvironment', 'CreateInstances', 'CreateProject', 'CreateFleet', 'CreateWorkspaces')) >= 1
