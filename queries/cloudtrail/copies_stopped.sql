-- title    = "Backup or copying of data to another place was stopped by hand"
-- severity = "medium"
-- tags     = ["attack.impact", "attack.t1490"]
-- remedy   = "Start it again; what was written since is in one place alone."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'bucketName', requestParameters ->> 'sourceDBInstanceArn', requestParameters ->> 'sourceServerID', requestParameters ->> 'clusterIdentifier', requestParameters ->> 'fileSystemId', requestParameters ->> 'sourceFileSystemId') AS resource
FROM cloudtrail
WHERE eventSource IN ('s3.amazonaws.com', 'rds.amazonaws.com', 'drs.amazonaws.com', 'redshift.amazonaws.com', 'elasticfilesystem.amazonaws.com', 'backup.amazonaws.com')
  AND eventName IN ('DeleteBucketReplication', 'StopDBInstanceAutomatedBackupsReplication', 'StopReplication', 'DisconnectSourceServer', 'DisableSnapshotCopy', 'DeleteReplicationConfiguration', 'UpdateRegionSettings')
  AND (eventName <> 'UpdateRegionSettings'
       OR regexp_like(requestParameters ->> 'resourceTypeOptInPreference', ':\s*false'))
  AND NOT is_infrastructure_tool()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
