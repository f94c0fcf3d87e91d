-- title           = "Role of a program did something of a kind that it had not done for three months"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.execution", "attack.lateral_movement", "attack.persistence", "attack.t1078.004", "attack.t1648"]
-- remedy          = "Ask the owner of the role whether the program is meant to. If not: revoke the role's sessions, undo the calls, and look at how the function, container or pipeline gave its credentials away."
-- false_positives = "A new version of the program; a pipeline that deploys a new kind of thing. Each is told once."
-- description     = "Kinds: to enter machines, read three secrets or more, set up what computes, change what others run (code, images, schedules), send data or visitors elsewhere, delete data, backups or stacks, change identities. All calls of one kind on one day are one finding. A role is known when it called on three days, so that a new one is not told. What rules tell of every caller is left to them, and so is what is done by hand."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       CASE WHEN regexp_like(eventName, '^(SendCommand|StartSession|ResumeSession|SendSSHPublicKey|SendSerialConsoleSSHPublicKey|OpenTunnel|ExecuteCommand|GetPasswordData)$') THEN 'entered machines'
            WHEN eventName IN ('GetSecretValue', 'BatchGetSecretValue') THEN 'read secrets'
            WHEN regexp_like(eventName, '^(RunInstances|RequestSpotFleet|RequestSpotInstances|CreateFleet|CreateAutoScalingGroup|CreateComputeEnvironment|CreateNotebookInstance|CreateTrainingJob|CreateInstances|RunJobFlow|CreateWorkspaces|CreateEnvironmentEC2|CreateProvisionedModelThroughput|CreateSpace|PurchaseReservedInstancesOffering|PurchaseReservedDBInstancesOffering|CreateSavingsPlan)$')
                 OR eventSource IN ('ecs.amazonaws.com', 'apprunner.amazonaws.com', 'amplify.amazonaws.com') AND regexp_like(eventName, '^(CreateCluster|CreateService|CreateApp|RegisterTaskDefinition)$') THEN 'set up what computes'
            WHEN regexp_like(eventName, '^(UpdateFunctionCode.*|PutImage|UpdateStateMachine|UpdateProject|UpdatePipeline|CreateStackInstances|UpdateStackInstances|UpdateStackSet|PutTargets|CreateSchedule|UpdateSchedule|CreateLaunchTemplateVersion|UpdateDocument|PublishFunction|UpdateNotebookInstanceLifecycleConfig|RegisterType|UpdateAgent|CreatePipe|UpdatePipe)$')
                 OR eventSource = 'glue.amazonaws.com' AND eventName IN ('UpdateJob', 'CreateTrigger', 'UpdateTrigger', 'UpdateConnection') THEN 'changed what others run'
            WHEN regexp_like(eventName, '^(PutBucketReplication|PutBucketWebsite|PutSubscriptionFilter|PutDeliveryChannel|CreateExportTask|ModifyListener|UpdateDestination|AssociateAlias.*|UpdateDistribution.*|CreateResolverRule|ReplicateSecretToRegions|StartMailboxExportJob|CreateReceiptRule|UpdateReceiptRule|ExportCertificate|GetApiKeys)$')
                 OR eventSource IN ('datasync.amazonaws.com', 'transfer.amazonaws.com', 'dms.amazonaws.com', 'appflow.amazonaws.com') AND regexp_like(eventName, '^(Create|Start|Import)') THEN 'sent data or visitors elsewhere'
            WHEN regexp_like(eventSource, '^(dynamodb|cloudformation|eks|redshift|elasticache|elasticfilesystem|es|kinesis|memorydb|timestream|fsx|docdb-elastic)[.]') AND regexp_like(eventName, '^Delete(Table|Stack|Cluster|ReplicationGroup|FileSystem|Domain|Stream|Database)$')
                 OR regexp_like(eventName, '^(PurgeQueue|DeleteFunction20.*|DeleteVolume|DeleteSnapshot|DeregisterImage|DeleteDBSnapshot|DeleteDBClusterSnapshot|DeleteRecoveryPoint)$') THEN 'deleted data, backups or stacks'
            WHEN regexp_like(eventSource, '^(sso|sso-directory|identitystore|cognito-idp|ds|workmail)[.]') AND regexp_like(eventName, '^(Create|Put|Reset|Add|Update|Attach|AdminSet|AdminAdd|AdminReset)')
                 OR eventSource = 'iam.amazonaws.com' AND eventName = 'UpdateAssumeRolePolicy' THEN 'changed identities'
            ELSE 'something else' END AS kind,
       'Role of a program ' || CASE WHEN regexp_like(eventName, '^(SendCommand|StartSession|ResumeSession|SendSSHPublicKey|SendSerialConsoleSSHPublicKey|OpenTunnel|ExecuteCommand|GetPasswordData)$') THEN 'entered machines'
            WHEN eventName IN ('GetSecretValue', 'BatchGetSecretValue') THEN 'read secrets'
            WHEN regexp_like(eventName, '^(RunInstances|RequestSpotFleet|RequestSpotInstances|CreateFleet|CreateAutoScalingGroup|CreateComputeEnvironment|CreateNotebookInstance|CreateTrainingJob|CreateInstances|RunJobFlow|CreateWorkspaces|CreateEnvironmentEC2|CreateProvisionedModelThroughput|CreateSpace|PurchaseReservedInstancesOffering|PurchaseReservedDBInstancesOffering|CreateSavingsPlan)$')
                 OR eventSource IN ('ecs.amazonaws.com', 'apprunner.amazonaws.com', 'amplify.amazonaws.com') AND regexp_like(eventName, '^(CreateCluster|CreateService|CreateApp|RegisterTaskDefinition)$') THEN 'set up what computes'
            WHEN regexp_like(eventName, '^(UpdateFunctionCode.*|PutImage|UpdateStateMachine|UpdateProject|UpdatePipeline|CreateStackInstances|UpdateStackInstances|UpdateStackSet|PutTargets|CreateSchedule|UpdateSchedule|CreateLaunchTemplateVersion|UpdateDocument|PublishFunction|UpdateNotebookInstanceLifecycleConfig|RegisterType|UpdateAgent|CreatePipe|UpdatePipe)$')
                 OR eventSource = 'glue.amazonaws.com' AND eventName IN ('UpdateJob', 'CreateTrigger', 'UpdateTrigger', 'UpdateConnection') THEN 'changed what others run'
            WHEN regexp_like(eventName, '^(PutBucketReplication|PutBucketWebsite|PutSubscriptionFilter|PutDeliveryChannel|CreateExportTask|ModifyListener|UpdateDestination|AssociateAlias.*|UpdateDistribution.*|CreateResolverRule|ReplicateSecretToRegions|StartMailboxExportJob|CreateReceiptRule|UpdateReceiptRule|ExportCertificate|GetApiKeys)$')
                 OR eventSource IN ('datasync.amazonaws.com', 'transfer.amazonaws.com', 'dms.amazonaws.com', 'appflow.amazonaws.com') AND regexp_like(eventName, '^(Create|Start|Import)') THEN 'sent data or visitors elsewhere'
            WHEN regexp_like(eventSource, '^(dynamodb|cloudformation|eks|redshift|elasticache|elasticfilesystem|es|kinesis|memorydb|timestream|fsx|docdb-elastic)[.]') AND regexp_like(eventName, '^Delete(Table|Stack|Cluster|ReplicationGroup|FileSystem|Domain|Stream|Database)$')
                 OR regexp_like(eventName, '^(PurgeQueue|DeleteFunction20.*|DeleteVolume|DeleteSnapshot|DeregisterImage|DeleteDBSnapshot|DeleteDBClusterSnapshot|DeleteRecoveryPoint)$') THEN 'deleted data, backups or stacks'
            WHEN regexp_like(eventSource, '^(sso|sso-directory|identitystore|cognito-idp|ds|workmail)[.]') AND regexp_like(eventName, '^(Create|Put|Reset|Add|Update|Attach|AdminSet|AdminAdd|AdminReset)')
                 OR eventSource = 'iam.amazonaws.com' AND eventName = 'UpdateAssumeRolePolicy' THEN 'changed identities'
            ELSE 'something else' END
           || ', which it had not done for three months' AS title,
       sample(eventName) AS calls,
       sample(requestParameters ->> 'secretId') FILTER (WHERE eventName = 'GetSecretValue') AS secrets,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       count(*) AS times,
       -- a pipeline is made to set up and to change, and what a tool does was written down before
       CASE WHEN count(*) FILTER (WHERE NOT is_infrastructure_tool()
                                    AND NOT (regexp_like(eventName, '^(RunInstances|CreateFleet|RegisterTaskDefinition|CreateCluster|CreateService|CreateApp|UpdateFunctionCode|PutImage|UpdateStateMachine|UpdateJob|PutTargets|UpdateStack|CreateStack|DeleteStack|DeleteFunction|UpdatePipeline|CreateLaunchTemplateVersion|PublishFunction|UpdateDistribution|ModifyListener)')
                                             AND (userIdentity.sessionContext.webIdFederationData IS NOT NULL OR regexp_like(userIdentity.arn, '(?i)deploy|pipeline|jenkins|github|gitlab|bitbucket|circleci|codebuild|teamcity|bamboo|buildkite|azure-?devops|octopus|terraform|atlantis|spacelift|ansible|airflow|runner|[/_-](ci|cd|cicd|gha|gh|tf|iac)([/_-]|$)')))) = 0 THEN 'low'
            ELSE 'medium' END AS severity
FROM cloudtrail
WHERE userIdentity.type = 'AssumedRole'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_by_hand()
GROUP BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn),
         CASE WHEN regexp_like(eventName, '^(SendCommand|StartSession|ResumeSession|SendSSHPublicKey|SendSerialConsoleSSHPublicKey|OpenTunnel|ExecuteCommand|GetPasswordData)$') THEN 'entered machines'
              WHEN eventName IN ('GetSecretValue', 'BatchGetSecretValue') THEN 'read secrets'
              WHEN regexp_like(eventName, '^(RunInstances|RequestSpotFleet|RequestSpotInstances|CreateFleet|CreateAutoScalingGroup|CreateComputeEnvironment|CreateNotebookInstance|CreateTrainingJob|CreateInstances|RunJobFlow|CreateWorkspaces|CreateEnvironmentEC2|CreateProvisionedModelThroughput|CreateSpace|PurchaseReservedInstancesOffering|PurchaseReservedDBInstancesOffering|CreateSavingsPlan)$')
                   OR eventSource IN ('ecs.amazonaws.com', 'apprunner.amazonaws.com', 'amplify.amazonaws.com') AND regexp_like(eventName, '^(CreateCluster|CreateService|CreateApp|RegisterTaskDefinition)$') THEN 'set up what computes'
              WHEN regexp_like(eventName, '^(UpdateFunctionCode.*|PutImage|UpdateStateMachine|UpdateProject|UpdatePipeline|CreateStackInstances|UpdateStackInstances|UpdateStackSet|PutTargets|CreateSchedule|UpdateSchedule|CreateLaunchTemplateVersion|UpdateDocument|PublishFunction|UpdateNotebookInstanceLifecycleConfig|RegisterType|UpdateAgent|CreatePipe|UpdatePipe)$')
                   OR eventSource = 'glue.amazonaws.com' AND eventName IN ('UpdateJob', 'CreateTrigger', 'UpdateTrigger', 'UpdateConnection') THEN 'changed what others run'
              WHEN regexp_like(eventName, '^(PutBucketReplication|PutBucketWebsite|PutSubscriptionFilter|PutDeliveryChannel|CreateExportTask|ModifyListener|UpdateDestination|AssociateAlias.*|UpdateDistribution.*|CreateResolverRule|ReplicateSecretToRegions|StartMailboxExportJob|CreateReceiptRule|UpdateReceiptRule|ExportCertificate|GetApiKeys)$')
                   OR eventSource IN ('datasync.amazonaws.com', 'transfer.amazonaws.com', 'dms.amazonaws.com', 'appflow.amazonaws.com') AND regexp_like(eventName, '^(Create|Start|Import)') THEN 'sent data or visitors elsewhere'
              WHEN regexp_like(eventSource, '^(dynamodb|cloudformation|eks|redshift|elasticache|elasticfilesystem|es|kinesis|memorydb|timestream|fsx|docdb-elastic)[.]') AND regexp_like(eventName, '^Delete(Table|Stack|Cluster|ReplicationGroup|FileSystem|Domain|Stream|Database)$')
                   OR regexp_like(eventName, '^(PurgeQueue|DeleteFunction20.*|DeleteVolume|DeleteSnapshot|DeregisterImage|DeleteDBSnapshot|DeleteDBClusterSnapshot|DeleteRecoveryPoint)$') THEN 'deleted data, backups or stacks'
              WHEN regexp_like(eventSource, '^(sso|sso-directory|identitystore|cognito-idp|ds|workmail)[.]') AND regexp_like(eventName, '^(Create|Put|Reset|Add|Update|Attach|AdminSet|AdminAdd|AdminReset)')
                   OR eventSource = 'iam.amazonaws.com' AND eventName = 'UpdateAssumeRolePolicy' THEN 'changed identities'
              ELSE 'something else' END, tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(CASE WHEN regexp_like(eventName, '^(SendCommand|StartSession|ResumeSession|SendSSHPublicKey|SendSerialConsoleSSHPublicKey|OpenTunnel|ExecuteCommand|GetPasswordData)$') THEN 'entered machines'
                       WHEN eventName IN ('GetSecretValue', 'BatchGetSecretValue') THEN 'read secrets'
                       WHEN regexp_like(eventName, '^(RunInstances|RequestSpotFleet|RequestSpotInstances|CreateFleet|CreateAutoScalingGroup|CreateComputeEnvironment|CreateNotebookInstance|CreateTrainingJob|CreateInstances|RunJobFlow|CreateWorkspaces|CreateEnvironmentEC2|CreateProvisionedModelThroughput|CreateSpace|PurchaseReservedInstancesOffering|PurchaseReservedDBInstancesOffering|CreateSavingsPlan)$')
                            OR eventSource IN ('ecs.amazonaws.com', 'apprunner.amazonaws.com', 'amplify.amazonaws.com') AND regexp_like(eventName, '^(CreateCluster|CreateService|CreateApp|RegisterTaskDefinition)$') THEN 'set up what computes'
                       WHEN regexp_like(eventName, '^(UpdateFunctionCode.*|PutImage|UpdateStateMachine|UpdateProject|UpdatePipeline|CreateStackInstances|UpdateStackInstances|UpdateStackSet|PutTargets|CreateSchedule|UpdateSchedule|CreateLaunchTemplateVersion|UpdateDocument|PublishFunction|UpdateNotebookInstanceLifecycleConfig|RegisterType|UpdateAgent|CreatePipe|UpdatePipe)$')
                            OR eventSource = 'glue.amazonaws.com' AND eventName IN ('UpdateJob', 'CreateTrigger', 'UpdateTrigger', 'UpdateConnection') THEN 'changed what others run'
                       WHEN regexp_like(eventName, '^(PutBucketReplication|PutBucketWebsite|PutSubscriptionFilter|PutDeliveryChannel|CreateExportTask|ModifyListener|UpdateDestination|AssociateAlias.*|UpdateDistribution.*|CreateResolverRule|ReplicateSecretToRegions|StartMailboxExportJob|CreateReceiptRule|UpdateReceiptRule|ExportCertificate|GetApiKeys)$')
                            OR eventSource IN ('datasync.amazonaws.com', 'transfer.amazonaws.com', 'dms.amazonaws.com', 'appflow.amazonaws.com') AND regexp_like(eventName, '^(Create|Start|Import)') THEN 'sent data or visitors elsewhere'
                       WHEN regexp_like(eventSource, '^(dynamodb|cloudformation|eks|redshift|elasticache|elasticfilesystem|es|kinesis|memorydb|timestream|fsx|docdb-elastic)[.]') AND regexp_like(eventName, '^Delete(Table|Stack|Cluster|ReplicationGroup|FileSystem|Domain|Stream|Database)$')
                            OR regexp_like(eventName, '^(PurgeQueue|DeleteFunction20.*|DeleteVolume|DeleteSnapshot|DeregisterImage|DeleteDBSnapshot|DeleteDBClusterSnapshot|DeleteRecoveryPoint)$') THEN 'deleted data, backups or stacks'
                       WHEN regexp_like(eventSource, '^(sso|sso-directory|identitystore|cognito-idp|ds|workmail)[.]') AND regexp_like(eventName, '^(Create|Put|Reset|Add|Update|Attach|AdminSet|AdminAdd|AdminReset)')
                            OR eventSource = 'iam.amazonaws.com' AND eventName = 'UpdateAssumeRolePolicy' THEN 'changed identities'
                       ELSE 'something else' END, INTERVAL '90 days')
   AND (CASE WHEN regexp_like(eventName, '^(SendCommand|StartSession|ResumeSession|SendSSHPublicKey|SendSerialConsoleSSHPublicKey|OpenTunnel|ExecuteCommand|GetPasswordData)$') THEN 'entered machines'
             WHEN eventName IN ('GetSecretValue', 'BatchGetSecretValue') THEN 'read secrets'
             WHEN regexp_like(eventName, '^(RunInstances|RequestSpotFleet|RequestSpotInstances|CreateFleet|CreateAutoScalingGroup|CreateComputeEnvironment|CreateNotebookInstance|CreateTrainingJob|CreateInstances|RunJobFlow|CreateWorkspaces|CreateEnvironmentEC2|CreateProvisionedModelThroughput|CreateSpace|PurchaseReservedInstancesOffering|PurchaseReservedDBInstancesOffering|CreateSavingsPlan)$')
                  OR eventSource IN ('ecs.amazonaws.com', 'apprunner.amazonaws.com', 'amplify.amazonaws.com') AND regexp_like(eventName, '^(CreateCluster|CreateService|CreateApp|RegisterTaskDefinition)$') THEN 'set up what computes'
             WHEN regexp_like(eventName, '^(UpdateFunctionCode.*|PutImage|UpdateStateMachine|UpdateProject|UpdatePipeline|CreateStackInstances|UpdateStackInstances|UpdateStackSet|PutTargets|CreateSchedule|UpdateSchedule|CreateLaunchTemplateVersion|UpdateDocument|PublishFunction|UpdateNotebookInstanceLifecycleConfig|RegisterType|UpdateAgent|CreatePipe|UpdatePipe)$')
                  OR eventSource = 'glue.amazonaws.com' AND eventName IN ('UpdateJob', 'CreateTrigger', 'UpdateTrigger', 'UpdateConnection') THEN 'changed what others run'
             WHEN regexp_like(eventName, '^(PutBucketReplication|PutBucketWebsite|PutSubscriptionFilter|PutDeliveryChannel|CreateExportTask|ModifyListener|UpdateDestination|AssociateAlias.*|UpdateDistribution.*|CreateResolverRule|ReplicateSecretToRegions|StartMailboxExportJob|CreateReceiptRule|UpdateReceiptRule|ExportCertificate|GetApiKeys)$')
                  OR eventSource IN ('datasync.amazonaws.com', 'transfer.amazonaws.com', 'dms.amazonaws.com', 'appflow.amazonaws.com') AND regexp_like(eventName, '^(Create|Start|Import)') THEN 'sent data or visitors elsewhere'
             WHEN regexp_like(eventSource, '^(dynamodb|cloudformation|eks|redshift|elasticache|elasticfilesystem|es|kinesis|memorydb|timestream|fsx|docdb-elastic)[.]') AND regexp_like(eventName, '^Delete(Table|Stack|Cluster|ReplicationGroup|FileSystem|Domain|Stream|Database)$')
                  OR regexp_like(eventName, '^(PurgeQueue|DeleteFunction20.*|DeleteVolume|DeleteSnapshot|DeregisterImage|DeleteDBSnapshot|DeleteDBClusterSnapshot|DeleteRecoveryPoint)$') THEN 'deleted data, backups or stacks'
             WHEN regexp_like(eventSource, '^(sso|sso-directory|identitystore|cognito-idp|ds|workmail)[.]') AND regexp_like(eventName, '^(Create|Put|Reset|Add|Update|Attach|AdminSet|AdminAdd|AdminReset)')
                  OR eventSource = 'iam.amazonaws.com' AND eventName = 'UpdateAssumeRolePolicy' THEN 'changed identities'
             ELSE 'something else' END NOT IN ('something else', 'read secrets')
     OR count(DISTINCT requestParameters ->> 'secretId') FILTER (WHERE eventName = 'GetSecretValue') >= 3)
