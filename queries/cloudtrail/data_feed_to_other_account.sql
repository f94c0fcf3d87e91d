-- title           = "Another account was given a feed of data: shares, inventories, notifications, replicas or images"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.t1537", "attack.t1020"]
-- remedy          = "Find out whose account it is; take the feed off if it is none of yours or of a vendor you know."
-- false_positives = "Accounts of your own organization that work together."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS feed,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'dataShareArn', requestParameters ->> 'sourceFileSystemId', requestParameters ->> 'tableName', requestParameters ->> 'repositoryName', requestParameters ->> 'sourceDataSetId', requestParameters ->> 'clusterIdentifier', requestParameters ->> 'bucketName', requestParameters ->> 'recoveryPointArn', requestParameters ->> 'topicArn', requestParameters ->> 'queueUrl', requestParameters ->> 'layerName', requestParameters ->> 'name', account) AS resource
FROM cloudtrail
WHERE eventSource IN ('redshift.amazonaws.com', 's3.amazonaws.com', 'ecr.amazonaws.com', 'ec2.amazonaws.com', 'backup.amazonaws.com', 'dlm.amazonaws.com', 'sns.amazonaws.com', 'sqs.amazonaws.com', 'lambda.amazonaws.com',
                      'elasticfilesystem.amazonaws.com', 'dynamodb.amazonaws.com', 'codecommit.amazonaws.com', 'dataexchange.amazonaws.com')
  AND eventName IN ('AuthorizeDataShare', 'AuthorizeEndpointAccess', 'CreateAccessPoint', 'CreateAccessGrant', 'PutBucketInventoryConfiguration', 'PutBucketNotification', 'PutReplicationConfiguration', 'ModifyFpgaImageAttribute',
                      'StartCopyJob', 'CreateBackupPlan', 'UpdateBackupPlan', 'CreateLifecyclePolicy', 'UpdateLifecyclePolicy', 'AddPermission', 'AddLayerVersionPermission20181031',
                      'CreateReplicationConfiguration', 'EnableKinesisStreamingDestination', 'PutRepositoryTriggers', 'CreateDataGrant')
  -- which account is named where somebody else may be
  AND regexp_like(replace(requestParameters, account, ''),
                '(?i)"(consumerIdentifier|account|bucketAccountId|accountId|registryId|UserId|principal|receiverPrincipal|content)"\s*:\s*"(\*|[0-9]{12})"|"(TargetAccounts|aWSAccountIds?)"\s*:\s*\[?\s*"[0-9]{12}|"(granteeIdentifier|destinationBackupVaultArn|Queue|Topic|CloudFunction|fileSystemId|streamArn|destinationArn)"\s*:\s*"arn:[a-z-]+:[a-z]+:[a-z0-9-]*:[0-9]{12}:')
  -- a layer for the organization
  AND NOT json_contains(requestParameters, 'organizationId')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
