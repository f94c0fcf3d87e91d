-- title           = "Disks or copies of snapshots were encrypted with a KMS key of another account"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1486"]
-- remedy          = "Set the default key back: who owns the key may take the volumes away."
SELECT eventTime,
       eventName,
       requestParameters AS key,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'sourceSnapshotId', requestParameters ->> 'sourceImageId', requestParameters ->> 'sourceDBSnapshotIdentifier', requestParameters ->> 'sourceDBClusterSnapshotIdentifier', requestParameters ->> 'snapshotArn', account) AS resource
FROM cloudtrail
WHERE eventSource IN ('ec2.amazonaws.com', 'rds.amazonaws.com', 'docdb-elastic.amazonaws.com')
  AND eventName IN ('ModifyEbsDefaultKmsKeyId', 'CopySnapshot', 'CopyImage', 'CopyDBSnapshot', 'CopyDBClusterSnapshot', 'CopyClusterSnapshot')
  AND (eventName = 'ModifyEbsDefaultKmsKeyId'
          AND regexp_like(without_own(requestParameters, account), ':[0-9]{12}:')
       OR regexp_like(without_own(requestParameters ->> 'kmsKeyId', account), ':[0-9]{12}:'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
