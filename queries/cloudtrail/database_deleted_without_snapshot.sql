-- title           = "Database was deleted without a final snapshot"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485"]
-- remedy          = "Look for retained automated backups (DescribeDBInstanceAutomatedBackups) and restore from them; protect their deletion."
-- false_positives = "Test databases."
SELECT eventTime,
       eventName,
       requestParameters ->> 'deleteAutomatedBackups' AS backups_deleted,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements ->> 'dBInstanceArn', responseElements ->> 'dBClusterArn', requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier') AS resource
FROM cloudtrail
WHERE eventSource = 'rds.amazonaws.com'
  AND eventName IN ('DeleteDBInstance', 'DeleteDBCluster')
  AND errorCode IS NULL
  AND requestParameters ->> 'skipFinalSnapshot' = 'true'
