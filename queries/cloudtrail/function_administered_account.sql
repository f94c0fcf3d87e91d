-- title           = "Function, container, script or pipeline did what only administrators do"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "userIdentity.sessionContext.sessionIssuer.arn", "eventSource"]
-- tags            = ["attack.persistence", "attack.defense_evasion", "attack.impact", "attack.lateral_movement", "attack.t1078.004", "attack.t1098", "attack.t1562.001", "attack.t1485", "attack.t1496", "attack.t1021.007", "attack.t1648"]
-- remedy          = "Find the code that does this. If there is none: revoke the role's sessions (deny by aws:TokenIssueTime), look at who changed the function, image or workflow last, and at what else the role did."
-- false_positives = "Functions that are written to administer, and are not named for it; put their roles in the suppress list."
-- description     = "The code of an application keeps its own queues, tables and files. It moves no accounts, takes down no guards, buys nothing, enters no machines, and changes nothing that others build or run. Roles whose names say that they set up, deploy, clean up or guard are left out, and so are Terraform and the like; of pipelines and clusters only what no release does is told. What is done by hand, or with the credentials of an instance, has rules of its own."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS what,
       sourceIPAddress,
       userAgent,
       userIdentity.sessionContext.sessionIssuer.arn AS resource,
       CASE WHEN regexp_like(eventSource, '^(organizations|quicksight|cognito-idp|chatbot)[.]') THEN 'Program changed accounts or who is let in'
            WHEN regexp_like(eventName, '^(StartSession|ResumeSession|SendSSHPublicKey|OpenTunnel|CreateReplaceRootVolumeTask|DiscoverPollEndpoint)$') THEN 'Program got into a machine'
            WHEN regexp_like(eventName, '^(Purchase.*|AllocateHosts|CreateSavingsPlan|AcceptAgreementRequest|CreateProvisionedModelThroughput|CreateInstances|CreateComputeEnvironment)$') THEN 'Program bought or set up what computes'
            WHEN regexp_like(eventSource, '^(codebuild|codeartifact|glue|qbusiness|sagemaker|ssm|states|fis)[.]') THEN 'Program changed or started what others run'
            WHEN regexp_like(eventSource, '^(ds|codecommit|eks|cassandra|dynamodb|secretsmanager|athena|storagegateway|ses)[.]') THEN 'Program destroyed data or sent it elsewhere'
            ELSE 'Program took away what watches or guards the account' END AS title
FROM cloudtrail
WHERE regexp_like(eventName, '^(MoveAccount|CreateAccount|PutResourcePolicy|DeleteChannel|DisableFederation|DisassociateKmsKey|UpdateStandardsControl|UpdateFirewallPolicy|DeleteEventSubscription|DeleteNotificationConfiguration|DeleteBackupVaultNotifications|SetAlarmState|DeleteBucketEncryption|PutImageTagMutability|PutImageScanningConfiguration|DeleteReportDefinition|StopTelemetryEvaluation|ReplicateSecretToRegions|CreateComputeEnvironment|CreateProject|UpdateProject|CreateNotebookInstanceLifecycleConfig|UpdateNotebookInstanceLifecycleConfig|CreateStudioLifecycleConfig|UpdateWorkGroup|UpdateDocument|StartSession|ResumeSession|SendSSHPublicKey|OpenTunnel|DeleteDirectory|DeleteRepository|DeleteCluster|DropKeyspace|DropTable|DeleteChatControlsConfiguration|PutPackageOriginConfiguration|AssociateExternalConnection|CreateBlueprint|UpdateBlueprint|UpdateUserDefinedFunction|UpdateTimeToLive|CreateReceiptRule|CreateSMSSandboxPhoneNumber|CreateSlackChannelConfiguration|CreateMicrosoftTeamsChannelConfiguration|DiscoverPollEndpoint|PurchaseReservedInstancesOffering|AllocateHosts|CreateReplaceRootVolumeTask|AttachVerifiedAccessTrustProvider|PurchaseReservedDBInstancesOffering|CreateSavingsPlan|AcceptAgreementRequest|CreateProvisionedModelThroughput|CreateInstances|StartExperiment|DeleteEventBus|RegisterUser|TestState|CreateNFSFileShare|CreateSMBFileShare|SetRiskConfiguration|DeleteLifecyclePolicy)$') -- equivalent: the pairs below have these names
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (regexp_like(split_part(eventSource, '.', 1) || ' ' || eventName, '^(ec2 (PurchaseReservedInstancesOffering|AllocateHosts|CreateReplaceRootVolumeTask|AttachVerifiedAccessTrustProvider)|rds PurchaseReservedDBInstancesOffering|savingsplans CreateSavingsPlan|aws-marketplace AcceptAgreementRequest|bedrock CreateProvisionedModelThroughput|lightsail CreateInstances|fis StartExperiment|events DeleteEventBus|quicksight RegisterUser|states TestState|storagegateway (CreateNFSFileShare|CreateSMBFileShare)|cognito-idp SetRiskConfiguration|dlm DeleteLifecyclePolicy)$')
       OR regexp_like(split_part(eventSource, '.', 1) || ' ' || eventName, '^(organizations (MoveAccount|CreateAccount|PutResourcePolicy)|cloudtrail (DeleteChannel|DisableFederation)|logs DisassociateKmsKey|securityhub UpdateStandardsControl|network-firewall UpdateFirewallPolicy|rds DeleteEventSubscription|notifications DeleteNotificationConfiguration|backup DeleteBackupVaultNotifications|monitoring SetAlarmState|s3 DeleteBucketEncryption|ecr (PutImageTagMutability|PutImageScanningConfiguration)|cur DeleteReportDefinition|observabilityadmin StopTelemetryEvaluation|secretsmanager ReplicateSecretToRegions|batch CreateComputeEnvironment|codebuild (CreateProject|UpdateProject)|sagemaker (CreateNotebookInstanceLifecycleConfig|UpdateNotebookInstanceLifecycleConfig|CreateStudioLifecycleConfig)|athena UpdateWorkGroup|ssm (UpdateDocument|StartSession|ResumeSession)|ec2-instance-connect (SendSSHPublicKey|OpenTunnel)|ds DeleteDirectory|codecommit DeleteRepository|eks DeleteCluster|cassandra (DropKeyspace|DropTable)|qbusiness DeleteChatControlsConfiguration|codeartifact (PutPackageOriginConfiguration|AssociateExternalConnection)|glue (CreateBlueprint|UpdateBlueprint|UpdateUserDefinedFunction)|dynamodb UpdateTimeToLive|ses CreateReceiptRule|sns CreateSMSSandboxPhoneNumber|chatbot (CreateSlackChannelConfiguration|CreateMicrosoftTeamsChannelConfiguration)|ecs DiscoverPollEndpoint)$')
          AND (regexp_like(userAgent, 'exec-env/AWS_(Lambda|ECS)')
               OR is_by_hand_or_script()
                  AND userIdentity.sessionContext.webIdFederationData IS NULL))
  AND (eventName <> 'RegisterUser'
       OR requestParameters ->> 'userRole' LIKE 'ADMIN%')
  AND (eventName <> 'UpdateTimeToLive'
       OR requestParameters -> 'timeToLiveSpecification' ->> 'enabled' = 'true')
  AND (eventName <> 'PutImageTagMutability'
       OR requestParameters ->> 'imageTagMutability' = 'MUTABLE')
  AND (eventName <> 'PutImageScanningConfiguration'
       OR requestParameters -> 'imageScanningConfiguration' ->> 'scanOnPush' = 'false')
  AND (eventName <> 'UpdateStandardsControl'
       OR requestParameters ->> 'controlStatus' = 'DISABLED')
  AND NOT regexp_like(coalesce(userAgent, ''), 'Terraform|OpenTofu|Pulumi|aws-cdk|aws-sam-cli|[Cc]rossplane|aws-controllers-k8s|[Aa]nsible')
  -- told by other rules
  AND NOT is_by_hand()
  AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
  -- which are written to administer, as they are named
  AND NOT regexp_like(userIdentity.sessionContext.sessionIssuer.arn, '(?i)accelerator|control-?tower|custom-?resource|cfn|cdk|stack|vending|provision|bootstrap|baseline|landing|automation|remediat|custodian|janitor|clean-?up|security|admin|platform|rotat|patch|[/_-](ops|infra|iac|tf)([/_-]|$)')
  AND NOT (regexp_like(userIdentity.sessionContext.sessionIssuer.arn, '(?i)deploy|pipeline|codebuild|jenkins|gitlab|runner')
           AND userIdentity.sessionContext.webIdFederationData IS NULL)
