-- title    = "Backup or copying of data to another place was stopped by hand"
-- severity = "medium"
-- tags     = ["attack.impact", "attack.t1490"]
-- remedy   = "Start it again; what was written since is in one place alone."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'bucketName', requestParameters ->> 'sourceDBInstanceArn', requestParameters ->> 'sourceServerID', requestParameters ->> 'clusterIdentifier', requestParameters ->> 'fileSystemId', requestParameters ->> 'sourceFileSystemId', requestParameters ->> 'resourceName', account) AS resource
FROM cloudtrail
WHERE eventSource IN ('s3.amazonaws.com', 'rds.amazonaws.com', 'drs.amazonaws.com', 'redshift.amazonaws.com', 'elasticfilesystem.amazonaws.com', 'backup.amazonaws.com', 'fsx.amazonaws.com', 'lightsail.amazonaws.com')
  AND eventName IN ('DeleteBucketReplication', 'StopDBInstanceAutomatedBackupsReplication', 'StopReplication', 'DisconnectSourceServer', 'DisableSnapshotCopy', 'DeleteReplicationConfiguration', 'UpdateRegionSettings', 'PutBackupPolicy', 'UpdateFileSystem', 'DisableAddOn')
  AND (eventName <> 'UpdateRegionSettings'
       OR regexp_like(requestParameters ->> 'resourceTypeOptInPreference', ':\s*false'))
  AND (eventName <> 'PutBackupPolicy'
       OR requestParameters -> 'backupPolicy' ->> 'status' = 'DISABLED')
  AND (eventName <> 'UpdateFileSystem'
       OR regexp_like(requestParameters, '"automaticBackupRetentionDays"\s*:\s*0[,}]'))
  AND (eventName <> 'DisableAddOn'
       OR requestParameters ->> 'addOnType' = 'AutoSnapshot')
  AND NOT is_infrastructure_tool()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
