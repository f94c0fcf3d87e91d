-- title           = "Role of a program did something of a kind that it had not done for three months"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.execution", "attack.lateral_movement", "attack.persistence", "attack.t1078.004", "attack.t1648", "attack.impact", "attack.t1485"]
-- remedy          = "Ask the owner of the role whether the program is meant to. If not: revoke the role's sessions, undo the calls, and look at how the function, container or pipeline gave its credentials away."
-- false_positives = "A new version of the program; a pipeline that deploys a new kind of thing. Each is told once."
-- description     = "Kinds: to enter machines, read three secrets or more, set up what computes, change what others run (code, images, schedules), send data or visitors elsewhere, let addresses in, terminate ten instances, delete from buckets forty times, delete data, backups or stacks, silence what watches or wakes, change identities, look into ten buckets, and look around: six questions of a kind that intruders ask first, or thirty calls. All calls of one kind on one day are one finding. A role is known when it called on three days, so that a new one is not told. What other rules tell of every caller (as keys, shares and commands sent to instances) is left to them, and so is what is done by hand."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       CASE WHEN regexp_like(eventName, '^(StartSession|ResumeSession|SendSSHPublicKey|SendSerialConsoleSSHPublicKey|OpenTunnel|ExecuteCommand|StartSandboxConnection|StartCommandExecution)$') THEN 'entered machines'
            WHEN eventName IN ('GetSecretValue', 'BatchGetSecretValue') THEN 'read secrets'
            WHEN regexp_like(eventName, '^(RunInstances|RequestSpotFleet|RequestSpotInstances|CreateFleet|CreateAutoScalingGroup|CreateComputeEnvironment|CreateNotebookInstance|CreateTrainingJob|CreateInstances|RunJobFlow|CreateWorkspaces|CreateEnvironmentEC2|CreateProvisionedModelThroughput|CreateSpace|CreateFunction2015.*|CreateStack|CreateStateMachine|CreateJob|CreateProcessingJob|RegisterJobDefinition|CreateProject|CreateCodeInterpreter|CreateAgentRuntime|CreateInfrastructureConfiguration|PurchaseReservedInstancesOffering|PurchaseReservedDBInstancesOffering|CreateSavingsPlan)$')
                 OR eventSource IN ('ecs.amazonaws.com', 'apprunner.amazonaws.com', 'amplify.amazonaws.com') AND regexp_like(eventName, '^(CreateCluster|CreateService|CreateApp|RegisterTaskDefinition)$')
                 OR eventSource = 'emr-serverless.amazonaws.com' AND eventName IN ('CreateApplication', 'StartJobRun') THEN 'set up what computes'
            WHEN regexp_like(eventName, '^(UpdateFunctionCode.*|PutImage|UpdateStateMachine|UpdateProject|UpdatePipeline|CreateStackInstances|UpdateStackInstances|UpdateStackSet|PutTargets|CreateSchedule|UpdateSchedule|CreateLaunchTemplateVersion|UpdateDocument|PublishFunction|UpdateNotebookInstanceLifecycleConfig|RegisterType|UpdateAgent|CreatePipe|UpdatePipe)$')
                 OR eventSource = 'glue.amazonaws.com' AND eventName IN ('UpdateJob', 'CreateTrigger', 'UpdateTrigger', 'UpdateConnection') THEN 'changed what others run'
            WHEN regexp_like(eventName, '^(PutBucketWebsite|PutSubscriptionFilter|PutDeliveryChannel|CreateExportTask|ModifyListener|UpdateDestination|AssociateAlias.*|UpdateDistribution.*|CreateResolverRule|ReplicateSecretToRegions|CreateReceiptRule|UpdateReceiptRule|ExportCertificate|GetApiKeys)$')
                 OR eventSource = 'route53.amazonaws.com' AND eventName = 'ChangeResourceRecordSets'
                 OR eventSource = 'sns.amazonaws.com' AND eventName = 'Subscribe'
                 OR eventSource IN ('datasync.amazonaws.com', 'transfer.amazonaws.com') AND regexp_like(eventName, '^(Create(Location.*|Task|User)|StartTaskExecution|ImportSshPublicKey)$') THEN 'sent data or visitors elsewhere'
            WHEN regexp_like(eventSource, '^(dynamodb|cloudformation|eks|elasticache|kinesis|memorydb|timestream)[.]') AND regexp_like(eventName, '^Delete(Table|Stack|Cluster|ReplicationGroup|Stream|Database)$')
                 OR regexp_like(eventName, '^(PurgeQueue|DeleteFunction20.*|DeleteVolume|DeleteSnapshot|DeregisterImage|DeleteDBSnapshot|DeleteDBClusterSnapshot)$') THEN 'deleted data, backups or stacks'
            WHEN regexp_like(eventSource, '^(monitoring|events|scheduler|sns|logs|oam|notifications|ssm-contacts|ssm-incidents)[.]')
                 AND regexp_like(eventName, '^(DeleteAlarms|DisableAlarmActions|SetAlarmState|DisableRule|DeleteRule|RemoveTargets|DeleteSchedule|Unsubscribe|DeleteTopic|DeleteSubscriptionFilter|DeleteMetricFilter|DeleteDestination|DeleteLink|DeleteNotificationConfiguration|DisassociateChannel|DeleteContact|DeactivateContactChannel|DeleteResponsePlan)$') THEN 'silenced what watches'
            WHEN eventName = 'AuthorizeSecurityGroupIngress' THEN 'let addresses in'
            WHEN eventName = 'TerminateInstances' THEN 'terminated instances'
            WHEN eventName IN ('DeleteObject', 'DeleteObjects') THEN 'deleted objects'
            WHEN regexp_like(eventName, '^(ListObjects|ListObjectVersions|HeadBucket|GetBucket(Location|Acl|Policy))$') THEN 'looked into buckets'
            WHEN regexp_like(eventSource, '^(identitystore|cognito-idp|ds)[.]') AND regexp_like(eventName, '^(Create|Reset|Add|Update|AdminSet|AdminAdd|AdminReset)') THEN 'changed identities'
            WHEN regexp_like(eventName, '^(GetFunction(Configuration)?20150331v2|DescribeInstanceAttribute|GetConsoleOutput|GetConsoleScreenshot|GetTemplate|BatchGetProjects|List(Users|Roles|Groups|AccessKeys|AccountAliases|Attached(User|Role)Policies|UserPolicies|MFADevices|Accounts|Secrets|Detectors|FoundationModels|Identities)|Get(AccountSummary|AccountAuthorizationDetails|AccountPasswordPolicy|SendQuota|ModelInvocationLoggingConfiguration|CostAndUsage)|DescribeParameters|DescribeTrails|DescribeOrganization|LookupEvents)$') THEN 'looked around'
            ELSE 'something else' END AS kind,
       sample(eventName) AS calls,
       sample(requestParameters ->> 'secretId') FILTER (WHERE eventName = 'GetSecretValue') AS secrets,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       count(*) AS times,
       -- a pipeline is made to set up and to change, and what a tool does was written down before
       CASE WHEN count(*) FILTER (WHERE NOT is_infrastructure_tool()
                                    AND NOT (regexp_like(eventName, '^(RunInstances|CreateFleet|RegisterTaskDefinition|CreateCluster|CreateService|CreateApp|UpdateFunctionCode|PutImage|UpdateStateMachine|UpdateJob|PutTargets|UpdateStack|CreateStack|DeleteStack|DeleteFunction|UpdatePipeline|CreateLaunchTemplateVersion|PublishFunction|UpdateDistribution|ModifyListener|CreateFunction2015|CreateStateMachine|CreateJob|RegisterJobDefinition|CreateProject|CreateInfrastructureConfiguration|ChangeResourceRecordSets|AuthorizeSecurityGroupIngress)')
                                             AND (userIdentity.sessionContext.webIdFederationData IS NOT NULL OR regexp_like(userIdentity.sessionContext.sessionIssuer.arn, '(?i)deploy|pipeline|jenkins|github|gitlab|bitbucket|circleci|codebuild|teamcity|bamboo|buildkite|azure-?devops|octopus|terraform|atlantis|spacelift|ansible|airflow|runner|[/_-](ci|cd|cicd|gha|gh|tf|iac)([/_-]|$)')))) = 0 THEN 'low'
            ELSE 'medium' END AS severity
FROM cloudtrail
WHERE userIdentity.type = 'AssumedRole'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_by_hand()
  -- a queue or function of one's own takes nothing elsewhere, and a group that is let in is no address
  AND CASE eventName WHEN 'Subscribe' THEN regexp_like(requestParameters ->> 'protocol', '^(https?|email.*|sms)$')
                     WHEN 'AuthorizeSecurityGroupIngress' THEN json_exists(requestParameters, 'ipPermissions', 'items', 'ipRanges', 'items')
                     ELSE true END
GROUP BY account, actor, kind, tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(kind, INTERVAL '90 days')
   AND (kind NOT IN ('something else', 'read secrets', 'terminated instances', 'deleted objects', 'looked into buckets', 'looked around')
     OR count(DISTINCT requestParameters ->> 'secretId') FILTER (WHERE eventName = 'GetSecretValue') >= 3
     OR sum(CAST(json_length(requestParameters, 'instancesSet', 'items') AS BIGINT)) FILTER (WHERE eventName = 'TerminateInstances') >= 10
     OR kind = 'deleted objects' AND count(*) >= 40
     OR count(DISTINCT requestParameters ->> 'bucketName') FILTER (WHERE regexp_like(eventName, '^(ListObjects|ListObjectVersions|HeadBucket|GetBucket(Location|Acl|Policy))$')) >= 10
     OR kind = 'looked around' AND (count(DISTINCT eventName) >= 6 OR count(*) >= 30))
