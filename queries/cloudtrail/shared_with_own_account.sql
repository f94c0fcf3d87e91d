-- title       = "Another account of yours was given access"
-- severity    = "low"
-- key         = ["account", "userIdentity.arn", "eventName"]
-- tags        = ["attack.exfiltration", "attack.t1537", "attack.persistence", "attack.t1098"]
-- remedy      = "If the accounts do not usually work together so: ask who did it, and see what the other account did with it since."
-- description = "It asks own_accounts of the configuration: what is given to an account that is named there this rule tells, in the place of those about other accounts. Without own_accounts it tells nothing."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS request,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, requestParameters ->> 'snapshotId', requestParameters ->> 'imageId', requestParameters ->> 'dBSnapshotIdentifier', requestParameters ->> 'dBClusterSnapshotIdentifier', requestParameters ->> 'bucketName', requestParameters ->> 'roleName', requestParameters ->> 'keyId', requestParameters ->> 'functionName', requestParameters ->> 'repositoryName', requestParameters ->> 'secretId', requestParameters ->> 'topicArn', requestParameters ->> 'queueUrl', requestParameters ->> 'resourceArn', requestParameters ->> 'name', account) AS resource
FROM cloudtrail
WHERE eventName IN ('ModifySnapshotAttribute', 'ModifyImageAttribute', 'ModifyDBSnapshotAttribute', 'ModifyDBClusterSnapshotAttribute', 'AuthorizeSnapshotAccess',
                    'PutBucketPolicy', 'PutKeyPolicy', 'CreateGrant', 'CreateRole', 'UpdateAssumeRolePolicy', 'PutResourcePolicy', 'GrantPermissions', 'BatchGrantPermissions',
                    'CreateResourceShare', 'AssociateResourceShare', 'SetRepositoryPolicy', 'AddPermission', 'AddPermission20150331v2', 'SetQueueAttributes', 'SetTopicAttributes',
                    'AddPermission20150331', 'CreateKey', 'ReplicateKey', 'CreateQueue', 'CreateTopic', 'CreateTable', 'CreateCrossAccountAttachment', 'CreateAccessEntry',
                    'ModifyDocumentPermission', 'ModifyVpcEndpointServicePermissions', 'UpdateImagePermissions', 'UpdateWorkspaceImagePermission', 'UpdateBucket',
                    'CreateAccessPolicy', 'UpdateAccessPolicy', 'CreateSecurityPolicy', 'UpdateSecurityPolicy',
                    'CreateDomain', 'CreateElasticsearchDomain', 'UpdateDomainConfig', 'UpdateElasticsearchDomainConfig',
                    'PutBackupVaultAccessPolicy', 'PutFileSystemPolicy', 'SetVaultAccessPolicy',
                    -- feeds of data
                    'PutBucketReplication', 'AddLayerVersionPermission20181031', 'AuthorizeDataShare', 'AuthorizeEndpointAccess', 'CreateAccessGrant', 'CreateAccessPoint', 'CreateBackupPlan', 'UpdateBackupPlan',
                    'CreateDataGrant', 'CreateLifecyclePolicy', 'UpdateLifecyclePolicy', 'CreateOutboundConnection', 'CreateReplicationConfiguration', 'CreateShare', 'EnableKinesisStreamingDestination',
                    'GrantFlowEntitlements', 'ModifyFpgaImageAttribute', 'PutBucketAnalyticsConfiguration', 'PutBucketInventoryConfiguration', 'PutBucketNotification', 'PutReplicationConfiguration',
                    'PutRepositoryTriggers', 'PutStorageLensConfiguration', 'PutTableBucketReplication', 'PutTableReplication', 'StartCopyJob',
                    -- policies of resources
                    'AddProfilePermission', 'CreateEmailIdentityPolicy', 'CreateResourcePolicy', 'UpdateResourcePolicy', 'PutAccessGrantsInstanceResourcePolicy', 'PutAccessPointPolicy',
                    'PutAccessPointPolicyForObjectLambda', 'PutAuthPolicy', 'PutClusterPolicy', 'PutContactPolicy', 'PutContainerPolicy', 'PutDeliveryDestinationPolicy', 'PutDestinationPolicy',
                    'PutDomainPermissionsPolicy', 'PutIdentityPolicy', 'PutImagePolicy', 'PutModelPackageGroupPolicy', 'PutMultiRegionAccessPointPolicy', 'PutPermission', 'PutPolicy', 'PutProjectPolicy',
                    'PutRegistryPolicy', 'PutRepositoryPermissionsPolicy', 'PutSinkPolicy', 'PutTableBucketPolicy', 'PutTablePolicy', 'PutVectorBucketPolicy',
                    -- networks
                    'CreateVpcPeeringConnection', 'AcceptVpcPeeringConnection', 'CreateTransitGatewayPeeringAttachment', 'AcceptTransitGatewayPeeringAttachment', 'AcceptTransitGatewayVpcAttachment',
                    'CreateNetworkInterfacePermission', 'CreateServiceNetworkVpcAssociation')
  -- whom a network was accepted from stands in the answer
  AND without_own(concat_ws(' ', requestParameters, responseElements), account) <> replace(concat_ws(' ', requestParameters, responseElements), account, '')
  AND errorCode IS NULL
