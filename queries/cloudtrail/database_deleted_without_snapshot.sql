-- title           = "Database was deleted without a final snapshot"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485"]
-- remedy          = "Look for retained automated backups (DescribeDBInstanceAutomatedBackups) and restore from them; protect their deletion."
-- false_positives = "Test databases; databases that AWS Backup restored as a test (low)."
SELECT eventTime,
       eventName,
       requestParameters ->> 'deleteAutomatedBackups' AS backups_deleted,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements ->> 'dBInstanceArn', responseElements ->> 'dBClusterArn', requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier') AS resource,
       CASE WHEN userIdentity.invokedBy = 'backup.amazonaws.com' THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'rds.amazonaws.com'
  AND eventName IN ('DeleteDBInstance', 'DeleteDBCluster')
  AND errorCode IS NULL
  AND requestParameters ->> 'skipFinalSnapshot' = 'true'
  -- an instance of a cluster, or a replica, can have no final snapshot: its data are elsewhere
  AND (eventName = 'DeleteDBCluster'
       OR responseElements ->> 'dBClusterIdentifier' IS NULL
          AND responseElements ->> 'readReplicaSourceDBInstanceIdentifier' IS NULL)
