-- title           = "Table, secret, queue, stream, log or database was set to encrypt with a KMS key of another account"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventSource"]
-- tags            = ["attack.impact", "attack.t1486"]
-- remedy          = "Find out whose account the key is in. If it is none of yours: set a key of your own again while theirs still answers, for they can take the data away by disabling it."
-- false_positives = "An account of the organization that holds the keys of all."
SELECT eventTime,
       eventName,
       regexp_match(without_own(requestParameters, account), 'arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:(?:key|alias)/[^"]+')[1] AS key,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'tableName', requestParameters ->> 'secretId', requestParameters ->> 'queueUrl', requestParameters ->> 'topicArn', requestParameters ->> 'streamName', requestParameters ->> 'logGroupName', requestParameters ->> 'clusterIdentifier', requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier', requestParameters ->> 'functionName', requestParameters ->> 'stateMachineArn', requestParameters ->> 'tableBucketARN', requestParameters ->> 'repositoryName', requestParameters ->> 'tokenVaultId', requestParameters ->> 'name') AS resource,
       CASE WHEN eventSource = 'dynamodb.amazonaws.com' THEN 'Table'
            WHEN eventSource = 'secretsmanager.amazonaws.com' THEN 'Secret'
            WHEN eventSource = 'sqs.amazonaws.com' THEN 'Queue'
            WHEN eventSource = 'sns.amazonaws.com' THEN 'Topic'
            WHEN eventSource = 'kinesis.amazonaws.com' THEN 'Stream'
            WHEN eventSource = 'logs.amazonaws.com' THEN 'Log group'
            WHEN eventSource = 'redshift.amazonaws.com' THEN 'Data warehouse'
            WHEN eventSource = 'rds.amazonaws.com' THEN 'Database'
            WHEN eventSource = 'elasticfilesystem.amazonaws.com' THEN 'File system'
            WHEN eventSource = 'lambda.amazonaws.com' THEN 'Function'
            WHEN eventSource = 'states.amazonaws.com' THEN 'State machine'
            WHEN eventSource = 's3tables.amazonaws.com' THEN 'Table bucket'
            WHEN eventSource = 'codecommit.amazonaws.com' THEN 'Code repository'
            WHEN eventSource = 'bedrock-agentcore.amazonaws.com' THEN 'Vault of the tokens of agents'
            ELSE 'Catalog or jobs of Glue' END
       || ' was set to encrypt with a KMS key of another account' AS title
FROM cloudtrail
WHERE eventSource IN ('dynamodb.amazonaws.com', 'secretsmanager.amazonaws.com', 'sqs.amazonaws.com', 'sns.amazonaws.com', 'kinesis.amazonaws.com', 'logs.amazonaws.com', 'redshift.amazonaws.com', 'rds.amazonaws.com', 'elasticfilesystem.amazonaws.com', 'lambda.amazonaws.com', 'states.amazonaws.com', 'glue.amazonaws.com',
                      's3tables.amazonaws.com', 'codecommit.amazonaws.com', 'bedrock-agentcore.amazonaws.com')
  AND eventName IN ('UpdateTable', 'UpdateSecret', 'SetQueueAttributes', 'SetTopicAttributes', 'StartStreamEncryption', 'AssociateKmsKey', 'ModifyCluster', 'RestoreDBInstanceFromDBSnapshot', 'RestoreDBClusterFromSnapshot', 'CreateFileSystem', 'UpdateFunctionConfiguration20150331v2', 'UpdateStateMachine', 'PutDataCatalogEncryptionSettings', 'CreateSecurityConfiguration',
                    'PutTableBucketEncryption', 'UpdateRepositoryEncryptionKey', 'SetTokenVaultCMK')
  AND regexp_like(without_own(requestParameters, account), ':kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/')
  AND errorCode IS NULL
