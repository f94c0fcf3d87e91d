-- title           = "Table, file system, other store of data, cluster, directory, repository or user pool was deleted by hand"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485"]
-- remedy          = "Ask the owner; restore from a backup if nobody claims it."
-- false_positives = "Clean-up of test environments: low where tables of DynamoDB, file systems or user pools were made within the week by whoever deletes them; a program that does so on a third day of a week (low)."
SELECT eventTime,
       eventName,
       eventSource,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN eventSource = 'eks.amazonaws.com' THEN 'EKS cluster was deleted by hand'
            WHEN eventName IN ('DeleteTable', 'DropTable') THEN 'Table was deleted by hand'
            WHEN eventName = 'DeleteFileSystem' THEN 'File system was deleted by hand'
            WHEN eventName IN ('DeleteDomain', 'DeleteElasticsearchDomain', 'DeleteCollection') THEN 'Search domain or collection was deleted by hand'
            WHEN eventName = 'DeleteReplicationGroup' THEN 'Cache was deleted by hand'
            WHEN eventName = 'DeleteUserPool' THEN 'User pool was deleted by hand'
            WHEN eventName = 'DeleteIdentityPool' THEN 'Identity pool was deleted by hand'
            WHEN eventName IN ('DeleteFHIRDatastore', 'DeleteDatastore') THEN 'Store of health records or images was deleted by hand'
            WHEN eventName = 'DeleteKnowledgeBase' THEN 'Knowledge base was deleted by hand'
            WHEN eventName = 'DeleteVault' THEN 'Archive vault was deleted by hand'
            WHEN eventName = 'DeleteGraph' THEN 'Graph was deleted by hand'
            WHEN eventName IN ('DeleteDatabase', 'DropKeyspace') THEN 'Database was deleted by hand'
            WHEN eventName = 'DeleteRepository' THEN 'Repository of images or code was deleted by hand'
            WHEN eventName = 'DeleteStream' THEN 'Stream was deleted by hand'
            WHEN eventName = 'DeleteTableBucket' THEN 'Table bucket was deleted by hand'
            WHEN eventName = 'DeleteDirectory' THEN 'Directory was deleted by hand'
            WHEN eventName = 'DeleteVolume' THEN 'Volume of a file system was deleted by hand'
            ELSE 'Data warehouse, cache or other cluster was deleted by hand' END AS title,
       CASE WHEN days >= 3 AND NOT is_person() OR made = stores THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT CASE WHEN eventName NOT LIKE 'Create%' THEN date_trunc('day', eventTime) END) OVER week AS days,
             -- by what AWS calls them for good: a name can be had again, and in another Region; and by person, of a permission set
             count(DISTINCT coalesce(responseElements -> 'tableDescription' ->> 'tableId', responseElements -> 'userPool' ->> 'id', responseElements -> 'fileSystem' ->> 'fileSystemId', responseElements ->> 'fileSystemId',
                                     requestParameters ->> 'userPoolId', requestParameters ->> 'fileSystemId', awsRegion || ' ' || (requestParameters ->> 'tableName'), eventID) || CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN userIdentity.arn ELSE '' END) OVER week AS stores,
             count(DISTINCT CASE WHEN eventName LIKE 'Create%'
                                 THEN coalesce(responseElements -> 'tableDescription' ->> 'tableId', responseElements -> 'userPool' ->> 'id', responseElements -> 'fileSystem' ->> 'fileSystemId', responseElements ->> 'fileSystemId',
                                          requestParameters ->> 'userPoolId', requestParameters ->> 'fileSystemId', awsRegion || ' ' || (requestParameters ->> 'tableName'), eventID) || CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN userIdentity.arn ELSE '' END END) OVER week AS made,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || (CASE WHEN eventName NOT LIKE 'Create%' THEN coalesce(requestParameters ->> 'tableName', requestParameters ->> 'fileSystemId', requestParameters ->> 'clusterIdentifier', requestParameters ->> 'domainName', requestParameters ->> 'replicationGroupId', requestParameters ->> 'userPoolId', requestParameters ->> 'directoryId', requestParameters ->> 'repositoryName', requestParameters ->> 'keyspaceName', requestParameters ->> 'vaultName', requestParameters ->> 'streamName', requestParameters ->> 'streamARN', requestParameters ->> 'knowledgeBaseId', requestParameters ->> 'graphIdentifier', requestParameters ->> 'databaseName', requestParameters ->> 'tableBucketARN', requestParameters ->> 'clusterArn', requestParameters ->> 'clusterName', requestParameters ->> 'cacheClusterId', requestParameters ->> 'identifier', requestParameters ->> 'namespaceName', requestParameters ->> 'volumeId', requestParameters ->> 'identityPoolId', requestParameters ->> 'datastoreId', requestParameters ->> 'id', requestParameters ->> 'name', account) END)) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource IN ('dynamodb.amazonaws.com', 'elasticfilesystem.amazonaws.com', 'redshift.amazonaws.com', 'es.amazonaws.com', 'elasticache.amazonaws.com', 'eks.amazonaws.com', 'cognito-idp.amazonaws.com', 'fsx.amazonaws.com', 'memorydb.amazonaws.com',
                          'bedrock.amazonaws.com', 'glacier.amazonaws.com', 'docdb-elastic.amazonaws.com', 'dsql.amazonaws.com', 'neptune-graph.amazonaws.com', 'timestream.amazonaws.com', 'ecr.amazonaws.com',
                          'kinesis.amazonaws.com', 'aoss.amazonaws.com', 's3tables.amazonaws.com', 'cassandra.amazonaws.com', 'ds.amazonaws.com', 'codecommit.amazonaws.com', 'redshift-serverless.amazonaws.com', 'kafka.amazonaws.com',
                          'cognito-identity.amazonaws.com', 'healthlake.amazonaws.com', 'medical-imaging.amazonaws.com')
        AND (eventSource IN ('dynamodb.amazonaws.com', 'elasticfilesystem.amazonaws.com', 'cognito-idp.amazonaws.com', 'fsx.amazonaws.com')
             AND eventName IN ('CreateTable', 'CreateFileSystem', 'CreateUserPool')
             OR eventName IN ('DeleteTable', 'DeleteFileSystem', 'DeleteCluster', 'DeleteDomain', 'DeleteElasticsearchDomain', 'DeleteReplicationGroup', 'DeleteUserPool', 'DeleteKnowledgeBase', 'DeleteVault', 'DeleteGraph', 'DeleteDatabase', 'DeleteRepository', 'DeleteStream', 'DeleteCollection', 'DeleteTableBucket', 'DropTable', 'DropKeyspace', 'DeleteDirectory', 'DeleteNamespace', 'DeleteVolume', 'DeleteIdentityPool', 'DeleteFHIRDatastore', 'DeleteDatastore'))
        AND userIdentity.invokedBy IS NULL
        AND NOT is_infrastructure_tool()
        AND (eventName IN ('DeleteFileSystem', 'DeleteDomain', 'DeleteElasticsearchDomain', 'DeleteUserPool')
             OR eventSource = 'redshift.amazonaws.com'
             OR is_by_hand())
      WINDOW week AS (PARTITION BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), is_person(), is_by_hand_or_script(), errorCode IS NULL, eventSource, replace(eventName, 'Create', 'Delete')
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE eventName NOT LIKE 'Create%'
  AND errorCode IS NULL
