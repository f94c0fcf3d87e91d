-- title           = "Database snapshot or retained backup was deleted"
-- severity        = "low"
-- tags            = ["attack.impact", "attack.t1490"]
-- remedy          = "Check that other copies exist; many deletions in a row by one person are sabotage."
-- false_positives = "Clean-up of old snapshots by a person or a script; what AWS Backup retires is left out."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'dBSnapshotIdentifier', requestParameters ->> 'dBClusterSnapshotIdentifier', requestParameters ->> 'dbiResourceId', requestParameters ->> 'dbClusterResourceId', requestParameters ->> 'snapshotIdentifier', requestParameters ->> 'backupArn', requestParameters ->> 'snapshotName', requestParameters ->> 'snapshotArn', requestParameters ->> 'backupId', requestParameters -> 'identifiers' -> 0 ->> 'snapshotIdentifier') AS resource
FROM cloudtrail
WHERE eventSource IN ('rds.amazonaws.com', 'redshift.amazonaws.com', 'dynamodb.amazonaws.com', 'elasticache.amazonaws.com', 'memorydb.amazonaws.com', 'redshift-serverless.amazonaws.com', 'docdb-elastic.amazonaws.com', 'fsx.amazonaws.com')
  AND eventName IN ('DeleteDBSnapshot', 'DeleteDBClusterSnapshot', 'DeleteDBInstanceAutomatedBackup', 'DeleteDBClusterAutomatedBackup', 'DeleteClusterSnapshot', 'DeleteBackup', 'DeleteSnapshot', 'BatchDeleteClusterSnapshots')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
