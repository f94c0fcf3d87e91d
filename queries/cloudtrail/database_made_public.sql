-- title    = "Database was made reachable from the internet"
-- severity = "medium"
-- tags     = ["attack.exfiltration", "attack.initial_access", "attack.t1190", "cis.2.3.3"]
-- remedy   = "Set PubliclyAccessible to false, check the security group, and look in flow logs for who has connected."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements ->> 'dBInstanceArn', responseElements ->> 'dBClusterArn', requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier', requestParameters ->> 'graphIdentifier', requestParameters ->> 'graphName', requestParameters ->> 'dBSecurityGroupName', requestParameters ->> 'name') AS resource,
       CASE WHEN eventName LIKE 'Restore%' THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource IN ('rds.amazonaws.com', 'neptune-graph.amazonaws.com', 'timestream-influxdb.amazonaws.com')
  AND eventName IN ('ModifyDBInstance', 'CreateDBInstance', 'CreateDBCluster', 'RestoreDBInstanceFromDBSnapshot', 'RestoreDBInstanceToPointInTime', 'RestoreDBClusterFromSnapshot', 'CreateDBInstanceReadReplica',
                    'CreateGraph', 'UpdateGraph', 'RestoreGraphFromSnapshot', 'CreateGraphUsingImportTask', 'CreateDbInstance', 'AuthorizeDBSecurityGroupIngress')
  AND errorCode IS NULL
  AND (requestParameters ->> 'publiclyAccessible' = 'true'
       OR requestParameters ->> 'publicConnectivity' = 'true'
       OR requestParameters ->> 'cIDRIP' = '0.0.0.0/0')
