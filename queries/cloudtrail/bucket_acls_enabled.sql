-- title    = "S3 bucket was set to obey access control lists again"
-- severity = "low"
-- tags     = ["attack.defense_evasion", "attack.t1562.001", "attack.collection", "attack.t1530"]
-- remedy   = "Look whether objects were opened by a list since (PutObjectAcl); set BucketOwnerEnforced again unless another program needs the lists."
SELECT eventTime,
       eventName,
       requestParameters -> 'OwnershipControls' -> 'Rule' ->> 'ObjectOwnership' AS ownership,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'bucketName' AS resource,
       CASE WHEN is_by_hand_or_script() AND NOT is_infrastructure_tool() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('PutBucketOwnershipControls', 'DeleteBucketOwnershipControls')
  AND coalesce(requestParameters -> 'OwnershipControls' -> 'Rule' ->> 'ObjectOwnership', '') <> 'BucketOwnerEnforced'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
