-- title           = "Person gave a role to something that runs code"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.privilege_escalation", "attack.persistence", "attack.t1098.003", "attack.t1078.004", "attack.t1648", "attack.t1548.005"]
-- remedy          = "Ask the person what it runs. What runs there has the rights of the role, which may be more than the person's own: compare them, look at what the role did since, and delete what nobody claims."
-- false_positives = "Developers and data scientists who work by hand; leave their roles to deployments, or put their sandbox accounts in the suppress list."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS what,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements ->> 'functionArn', requestParameters ->> 'functionName', requestParameters ->> 'stackName', requestParameters ->> 'name', requestParameters ->> 'trainingJobName', requestParameters ->> 'processingJobName', requestParameters ->> 'notebookInstanceName', requestParameters ->> 'modelName', requestParameters ->> 'domainName', requestParameters ->> 'userProfileName', requestParameters ->> 'family', requestParameters ->> 'taskDefinition', requestParameters ->> 'serviceName', requestParameters ->> 'jobDefinitionName', requestParameters ->> 'jobName', requestParameters ->> 'applicationId', requestParameters ->> 'projectName', requestParameters ->> 'environmentName', requestParameters ->> 'launchConfigurationName', requestParameters ->> 'clusterName', requestParameters ->> 'roleAlias', requestParameters ->> 'canaryName', requestParameters ->> 'configurationName', responseElements ->> 'stateMachineArn', requestParameters ->> 'productId', requestParameters ->> 'id', account) AS resource,
       -- a definition names its roles in each version; of who signed in so it is a deployment by hand; below, other rules tell it
       CASE WHEN eventName = 'RegisterTaskDefinition' AND userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%'
                 OR eventSource IN ('codebuild.amazonaws.com', 'codepipeline.amazonaws.com', 'scheduler.amazonaws.com')
                 OR json_contains(requestParameters, 'overrides', 'taskRoleArn')
                 OR json_contains(requestParameters, 'overrides', 'executionRoleArn')
                 OR eventSource = 'glue.amazonaws.com' AND regexp_like(requestParameters ->> 'role', '(?i)admin|poweruser|accountaccessrole')
                 OR eventSource NOT IN ('glue.amazonaws.com', 'chatbot.amazonaws.com') AND eventName <> 'TestState'
                    AND regexp_like(requestParameters, '(?i)(:(role|instance-profile)/|"(roleName|jobFlowRole|iamInstanceProfile|name)"\s*:\s*")([^"]*[^a-z"])?(admins?|administrators?|administratoraccess|poweruser(access)?)([^a-z]|$)|(?-i:(:(role|instance-profile)/|"(roleName|jobFlowRole|iamInstanceProfile|instanceProfileName)"\s*:\s*")[^"]*Admin(istrator)?s?([A-Z]|[^A-Za-z]|$))') THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource IN ('lambda.amazonaws.com', 'cloudformation.amazonaws.com', 'ecs.amazonaws.com', 'apprunner.amazonaws.com',
                    'bedrock-agentcore.amazonaws.com', 'bedrock-agentcore-control.amazonaws.com', 'bedrock.amazonaws.com', 'sagemaker.amazonaws.com', 'glue.amazonaws.com',
                    'batch.amazonaws.com', 'codebuild.amazonaws.com', 'codepipeline.amazonaws.com', 'states.amazonaws.com',
                    'elasticmapreduce.amazonaws.com', 'emr-serverless.amazonaws.com', 'amplify.amazonaws.com', 'eks.amazonaws.com',
                    'scheduler.amazonaws.com', 'iot.amazonaws.com', 'autoscaling.amazonaws.com', 'chatbot.amazonaws.com', 'databrew.amazonaws.com', 'airflow.amazonaws.com',
                    'omics.amazonaws.com', 'braket.amazonaws.com', 'synthetics.amazonaws.com', 'kinesisanalytics.amazonaws.com', 'emr-containers.amazonaws.com', 'deadline.amazonaws.com', 'servicecatalog.amazonaws.com')
  AND regexp_like(eventName, '^(CreateAddon|CreateAgent|CreateAgentRuntime|CreateApp|CreateAutoMLJob(V2)?|CreateHyperParameterTuningJob|CreateApplication|CreateCanary|CreateCapability|CreateChangeSet|CreateCodeInterpreter|CreateConstraint|CreateDomain|CreateEnvironment|CreateFunction|CreateJob|CreateLaunchConfiguration|CreateMicrosoftTeamsChannelConfiguration|CreateModel|CreateNotebookInstance|CreatePipeline|CreatePodIdentityAssociation|CreateProcessingJob|CreateProfileJob|CreateProject|CreateQueue|CreateRecipeJob|CreateRoleAlias|CreateSchedule|CreateService|CreateSlackChannelConfiguration|CreateStack|CreateStateMachine|CreateTrainingJob|CreateUserProfile|RegisterJobDefinition|RegisterTaskDefinition|RunJobFlow|RunTask|StartBlueprintRun|StartJobRun|StartRun|StartTask|TestState|UpdateAddon|UpdateAgentRuntime|UpdateApplication|UpdateCanary|UpdateCapability|UpdateDomain|UpdateEnvironment|UpdateFunctionConfiguration|UpdateMicrosoftTeamsChannelConfiguration|UpdateNotebookInstance|UpdatePipeline|UpdatePodIdentityAssociation|UpdateService|UpdateSlackChannelConfiguration|UpdateUserProfile|UpdateStack)(20[0-9]{6}(v2)?)?$')
  -- the console names the role of a function at each change of its settings
  AND NOT (eventName LIKE 'UpdateFunctionConfiguration%'
           AND sessionCredentialFromConsole IS TRUE)
  -- the console makes a role of its own below service-role, for this one thing
  AND regexp_like(replace(requestParameters, ':role/service-role/', ''), ':iam::[0-9]{12}:(role|instance-profile)/')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
