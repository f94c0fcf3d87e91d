-- title           = "Another account was given a feed of data: shares, inventories, notifications, replicas or images"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventName"]
-- tags            = ["attack.exfiltration", "attack.t1537", "attack.t1020"]
-- remedy          = "Find out whose account it is; take the feed off if it is none of yours or of a vendor you know."
-- false_positives = "Accounts of your own organization that work together."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS feed,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'dataShareArn', requestParameters ->> 'sourceFileSystemId', requestParameters ->> 'tableName', requestParameters ->> 'repositoryName', requestParameters ->> 'sourceDataSetId', requestParameters ->> 'clusterIdentifier', requestParameters ->> 'bucketName', requestParameters ->> 'recoveryPointArn', requestParameters ->> 'topicArn', requestParameters ->> 'queueUrl', requestParameters ->> 'layerName', requestParameters ->> 'flowArn', requestParameters ->> 'resourceArn', requestParameters ->> 'name', account) AS resource,
       CASE WHEN eventName = 'AuthorizeDataShare' THEN 'Redshift data share was given to another account'
            WHEN eventName = 'AuthorizeEndpointAccess' THEN 'Another account was let into a Redshift cluster'
            WHEN eventName IN ('CreateAccessPoint', 'CreateAccessGrant') THEN 'Access point or grant of S3 was given to another account'
            WHEN eventName = 'PutBucketInventoryConfiguration' THEN 'Inventory of a bucket is delivered to another account'
            WHEN eventName IN ('PutBucketAnalyticsConfiguration', 'PutStorageLensConfiguration') THEN 'What a bucket holds is reported to another account'
            WHEN eventName = 'CreateOutboundConnection' THEN 'Search domain was connected to one of another account'
            WHEN eventName = 'PutBucketNotification' THEN 'What happens in a bucket is told to another account'
            WHEN eventName = 'PutReplicationConfiguration' THEN 'Container images are replicated to another account'
            WHEN eventName = 'ModifyFpgaImageAttribute' THEN 'FPGA image was shared with another account'
            WHEN eventName IN ('StartCopyJob', 'CreateBackupPlan', 'UpdateBackupPlan') THEN 'Backups are copied to another account'
            WHEN eventName IN ('CreateLifecyclePolicy', 'UpdateLifecyclePolicy') THEN 'Snapshots are shared with another account by a schedule'
            WHEN eventName = 'AddPermission' THEN 'Topic or queue was opened to another account'
            WHEN eventName = 'AddLayerVersionPermission20181031' THEN 'Lambda layer was shared with another account'
            WHEN eventName = 'CreateReplicationConfiguration' THEN 'File system replicates to another account'
            WHEN eventName = 'EnableKinesisStreamingDestination' THEN 'Changes of a table are sent to a stream of another account'
            WHEN eventName IN ('PutTableBucketReplication', 'PutTableReplication') THEN 'Table bucket of S3 replicates to another account'
            WHEN eventName = 'PutRepositoryTriggers' THEN 'Pushes to a code repository are told to another account'
            WHEN eventName = 'GrantFlowEntitlements' THEN 'Stream of video was given to another account'
            WHEN eventName = 'CreateShare' THEN 'Store of genomic data was shared with another account'
            ELSE 'Data set was granted to another account' END AS title,
       CASE WHEN userIdentity.invokedBy IS NULL THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource IN ('redshift.amazonaws.com', 's3.amazonaws.com', 'ecr.amazonaws.com', 'ec2.amazonaws.com', 'backup.amazonaws.com', 'dlm.amazonaws.com', 'sns.amazonaws.com', 'sqs.amazonaws.com', 'lambda.amazonaws.com',
                      'elasticfilesystem.amazonaws.com', 'dynamodb.amazonaws.com', 'codecommit.amazonaws.com', 'dataexchange.amazonaws.com', 's3tables.amazonaws.com', 'es.amazonaws.com',
                      'mediaconnect.amazonaws.com', 'omics.amazonaws.com')
  AND eventName IN ('AuthorizeDataShare', 'AuthorizeEndpointAccess', 'CreateAccessPoint', 'CreateAccessGrant', 'PutBucketInventoryConfiguration', 'PutBucketAnalyticsConfiguration', 'PutStorageLensConfiguration', 'CreateOutboundConnection', 'PutBucketNotification', 'PutReplicationConfiguration', 'ModifyFpgaImageAttribute',
                      'StartCopyJob', 'CreateBackupPlan', 'UpdateBackupPlan', 'CreateLifecyclePolicy', 'UpdateLifecyclePolicy', 'AddPermission', 'AddLayerVersionPermission20181031',
                      'CreateReplicationConfiguration', 'EnableKinesisStreamingDestination', 'PutRepositoryTriggers', 'CreateDataGrant', 'PutTableBucketReplication', 'PutTableReplication',
                      'GrantFlowEntitlements', 'CreateShare')
  -- which account is named where somebody else may be
  AND regexp_like(without_own(requestParameters, account),
                '(?i)"(consumerIdentifier|account|bucketAccountId|accountId|ownerId|registryId|UserId|principal|principalSubscriber|receiverPrincipal|content)"\s*:\s*"(\*|[0-9]{12})"|"(TargetAccounts|aWSAccountIds?|subscribers)"\s*:\s*\[?\s*"[0-9]{12}|"(granteeIdentifier|destinationBackupVaultArn|Queue|Topic|CloudFunction|fileSystemId|streamArn|destinationArn|destinationTableBucketARN)"\s*:\s*"arn:[a-z-]+:[a-z0-9]+:[a-z0-9-]*:[0-9]{12}:')
  -- a layer for the organization
  AND NOT json_contains(requestParameters, 'organizationId')
  AND errorCode IS NULL
  -- whoever may make a stack makes it so too (low: most stacks are ordinary)
  AND coalesce(userIdentity.invokedBy, 'cloudformation.amazonaws.com') = 'cloudformation.amazonaws.com'
