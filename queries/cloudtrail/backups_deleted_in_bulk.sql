-- title           = "Many snapshots, images or recovery points were deleted by one principal"
-- severity        = "high"
-- confidence      = "medium"
-- tags            = ["attack.impact", "attack.t1490", "attack.t1485"]
-- remedy          = "Deny deletion to the principal at once, list what is left, copy it to a locked vault in another account; take out of the recycle bin what it holds."
-- false_positives = "Clean-up of old snapshots by a person or a script; it should have a role of its own, named in the suppress list; a backup program that makes as many as it deletes (low)."
SELECT userIdentity.arn AS who,
       count(DISTINCT CASE WHEN eventName NOT LIKE 'Create%' THEN coalesce(requestParameters ->> 'snapshotId', requestParameters ->> 'imageId', requestParameters ->> 'dBSnapshotIdentifier', requestParameters ->> 'dBClusterSnapshotIdentifier',
                      requestParameters ->> 'recoveryPointArn', requestParameters ->> 'snapshotIdentifier', requestParameters ->> 'backupId', requestParameters ->> 'backupArn') END) AS deleted,
       sample(eventName) AS calls,
       sample(CASE WHEN eventName NOT LIKE 'Create%' THEN coalesce(requestParameters ->> 'snapshotId', requestParameters ->> 'imageId', requestParameters ->> 'dBSnapshotIdentifier', requestParameters ->> 'dBClusterSnapshotIdentifier',
                requestParameters ->> 'recoveryPointArn', requestParameters ->> 'snapshotIdentifier', requestParameters ->> 'backupId', requestParameters ->> 'backupArn') END) AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       -- a backup program makes as many as it deletes, of as many volumes, databases or tables: many of one are no replacement
       CASE WHEN count(DISTINCT CASE WHEN eventName LIKE 'Create%' THEN coalesce(requestParameters ->> 'volumeId', requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier',
                      requestParameters ->> 'clusterIdentifier', requestParameters ->> 'fileSystemId', requestParameters ->> 'tableName') END) >= count(DISTINCT CASE WHEN eventName NOT LIKE 'Create%' THEN coalesce(requestParameters ->> 'snapshotId', requestParameters ->> 'imageId', requestParameters ->> 'dBSnapshotIdentifier', requestParameters ->> 'dBClusterSnapshotIdentifier',
                      requestParameters ->> 'recoveryPointArn', requestParameters ->> 'snapshotIdentifier', requestParameters ->> 'backupId', requestParameters ->> 'backupArn') END) THEN 'low'
            WHEN count(DISTINCT CASE WHEN eventName NOT LIKE 'Create%' THEN coalesce(requestParameters ->> 'snapshotId', requestParameters ->> 'imageId', requestParameters ->> 'dBSnapshotIdentifier', requestParameters ->> 'dBClusterSnapshotIdentifier',
                      requestParameters ->> 'recoveryPointArn', requestParameters ->> 'snapshotIdentifier', requestParameters ->> 'backupId', requestParameters ->> 'backupArn') END) FILTER (WHERE is_person()) >= 15 THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventName IN ('DeleteSnapshot', 'CreateSnapshot', 'CreateDBSnapshot', 'CreateDBClusterSnapshot', 'CreateClusterSnapshot', 'CreateBackup', 'DeregisterImage', 'DeleteDBSnapshot', 'DeleteDBClusterSnapshot', 'DeleteClusterSnapshot', 'DeleteRecoveryPoint', 'DeleteBackup')
  AND eventSource IN ('ec2.amazonaws.com', 'rds.amazonaws.com', 'redshift.amazonaws.com', 'backup.amazonaws.com', 'fsx.amazonaws.com', 'dynamodb.amazonaws.com')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT CASE WHEN eventName NOT LIKE 'Create%' THEN coalesce(requestParameters ->> 'snapshotId', requestParameters ->> 'imageId', requestParameters ->> 'dBSnapshotIdentifier', requestParameters ->> 'dBClusterSnapshotIdentifier',
                requestParameters ->> 'recoveryPointArn', requestParameters ->> 'snapshotIdentifier', requestParameters ->> 'backupId', requestParameters ->> 'backupArn') END) >= 100
    OR count(DISTINCT CASE WHEN eventName NOT LIKE 'Create%' THEN coalesce(requestParameters ->> 'snapshotId', requestParameters ->> 'imageId', requestParameters ->> 'dBSnapshotIdentifier', requestParameters ->> 'dBClusterSnapshotIdentifier',
                requestParameters ->> 'recoveryPointArn', requestParameters ->> 'snapshotIdentifier', requestParameters ->> 'backupId', requestParameters ->> 'backupArn') END)
         FILTER (WHERE is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL) >= 8
