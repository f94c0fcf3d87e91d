-- title           = "Table, cluster, graph or log group lost its protection against deletion, or a table its point-in-time recovery"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventSource"]
-- tags            = ["attack.impact", "attack.t1490"]
-- remedy          = "Turn it on again, and see whether the table is still there and whole."
-- false_positives = "Test environments."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'tableName', requestParameters ->> 'name', requestParameters ->> 'identifier', requestParameters ->> 'graphIdentifier', requestParameters ->> 'logGroupIdentifier') AS resource,
       CASE WHEN eventName = 'UpdateContinuousBackups' OR eventSource = 'cassandra.amazonaws.com' THEN 'Table lost its point-in-time recovery'
            ELSE CASE WHEN eventSource = 'dynamodb.amazonaws.com' THEN 'Table'
            WHEN eventSource = 'eks.amazonaws.com' THEN 'EKS cluster'
            WHEN eventSource = 'dsql.amazonaws.com' THEN 'DSQL cluster'
            WHEN eventSource = 'neptune-graph.amazonaws.com' THEN 'Graph'
            ELSE 'Log group' END
                 || ' lost its protection against deletion' END AS title
FROM cloudtrail
WHERE eventSource IN ('dynamodb.amazonaws.com', 'eks.amazonaws.com', 'dsql.amazonaws.com', 'neptune-graph.amazonaws.com', 'logs.amazonaws.com', 'cassandra.amazonaws.com')
  AND eventName IN ('UpdateContinuousBackups', 'UpdateTable', 'UpdateClusterConfig', 'UpdateCluster', 'UpdateGraph', 'PutLogGroupDeletionProtection')
  AND (requestParameters -> 'pointInTimeRecoverySpecification' ->> 'pointInTimeRecoveryEnabled' = 'false'
       OR requestParameters -> 'pointInTimeRecovery' ->> 'status' = 'DISABLED'
       OR requestParameters ->> 'deletionProtectionEnabled' = 'false'
       OR requestParameters ->> 'deletionProtection' = 'false')
  AND coalesce(userAgent, '') NOT LIKE '%Terraform%'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
