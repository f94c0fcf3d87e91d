-- title           = "Snapshot was copied to another Region"
-- severity        = "low"
-- tags            = ["attack.exfiltration", "attack.t1537", "attack.defense_evasion", "attack.t1535"]
-- remedy          = "Compare with the backup plan; delete the copy if its Region is not one you use."
-- false_positives = "Disaster recovery copies that a person or a script makes; those of AWS Backup and Data Lifecycle Manager are left out."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'sourceRegion', split_part(requestParameters ->> 'sourceDBSnapshotIdentifier', ':', 4)) AS from_region,
       awsRegion AS to_region,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'sourceSnapshotId', requestParameters ->> 'sourceImageId', requestParameters ->> 'sourceDBSnapshotIdentifier') AS resource,
       CASE WHEN eventName = 'CopyImage' THEN 'Machine image was copied to another Region' ELSE 'Snapshot was copied to another Region' END AS title,
       CASE WHEN is_by_hand()
                 AND sessionCredentialFromConsole IS NOT TRUE
                 AND userIdentity.invokedBy IS NULL
                 AND NOT is_infrastructure_tool() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource IN ('ec2.amazonaws.com', 'rds.amazonaws.com')
  AND eventName IN ('CopySnapshot', 'CopyImage', 'CopyDBSnapshot')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (requestParameters ->> 'sourceRegion' != awsRegion
       OR split_part(requestParameters ->> 'sourceDBSnapshotIdentifier', ':', 4) NOT IN ('', awsRegion))
