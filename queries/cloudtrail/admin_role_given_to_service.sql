-- title           = "Role named as administrator was given to a service that runs code"
-- severity        = "medium"
-- confidence      = "low"
-- tags            = ["attack.privilege_escalation", "attack.persistence", "attack.t1098.003", "attack.t1648"]
-- remedy          = "Give it a role with what it needs; who can change the code has the rights of the role. Look at what the role did since."
-- false_positives = "Deployment pipelines that have such a role on purpose."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS what,
       (regexp_match(requestParameters, '(?i)arn:aws[a-z-]*:iam::[0-9]{12}:role/[^"\\]*(?:admin|poweruser)[^"\\]*'))[1] AS given_role,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'functionName', requestParameters ->> 'stackName', requestParameters ->> 'instanceProfileName', requestParameters ->> 'name', requestParameters ->> 'environmentName', requestParameters ->> 'domainId', requestParameters ->> 'trainingJobName', requestParameters ->> 'processingJobName', requestParameters ->> 'notebookInstanceName', requestParameters ->> 'modelName', requestParameters ->> 'family', requestParameters ->> 'serviceName', requestParameters ->> 'jobDefinitionName', requestParameters ->> 'jobName', requestParameters ->> 'applicationId', requestParameters ->> 'projectName', account) AS resource
FROM cloudtrail
WHERE eventSource IN ('lambda.amazonaws.com', 'ecs.amazonaws.com', 'cloudformation.amazonaws.com', 'states.amazonaws.com',
                    'sagemaker.amazonaws.com', 'apprunner.amazonaws.com', 'bedrock-agentcore.amazonaws.com', 'bedrock-agentcore-control.amazonaws.com', 'bedrock.amazonaws.com',
                    'batch.amazonaws.com', 'codebuild.amazonaws.com', 'codepipeline.amazonaws.com', 'elasticmapreduce.amazonaws.com',
                    'emr-serverless.amazonaws.com', 'amplify.amazonaws.com', 'eks.amazonaws.com', 'scheduler.amazonaws.com',
                    'iot.amazonaws.com', 'autoscaling.amazonaws.com', 'iam.amazonaws.com', 'imagebuilder.amazonaws.com', 'airflow.amazonaws.com', 'databrew.amazonaws.com', 'elasticbeanstalk.amazonaws.com',
                    'omics.amazonaws.com', 'braket.amazonaws.com', 'synthetics.amazonaws.com', 'kinesisanalytics.amazonaws.com', 'emr-containers.amazonaws.com', 'deadline.amazonaws.com')
  AND eventName <> 'CreateAccessEntry'
  AND regexp_like(eventName, '^(Create|Register|Run|Start|Add(Role)|Update(FunctionConfiguration|StateMachine|Project|Stack|Service|Pipeline|Environment|Domain|UserProfile|Canary|Application|PodIdentityAssociation|NotebookInstance|AgentRuntime|Addon|Capability))')
  AND (regexp_like(requestParameters, '(?i)"optionName"\s*:\s*"IamInstanceProfile"\s*,\s*"value"\s*:\s*"[^"]*(admin|poweruser)')
       OR regexp_like(requestParameters, '(?i)(:(role|instance-profile)/|"(roleName|jobFlowRole|iamInstanceProfile|name)"\s*:\s*")([^"]*[^a-z"])?(admins?|administrators?|administratoraccess|poweruser(access)?)([^a-z]|$)|(?-i:(:(role|instance-profile)/|"(roleName|jobFlowRole|iamInstanceProfile|instanceProfileName)"\s*:\s*")[^"]*Admin(istrator)?s?([A-Z]|[^A-Za-z]|$))'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
