-- title           = "Root volume of a running EC2 instance was replaced by a person"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1578.004"]
-- remedy          = "Ask the person. If nobody can say: keep the replaced volume, which is the evidence of what happened on the instance, and look at what the instance did before."
-- false_positives = "An instance that was broken and is put back; patching by replacement, which should run with a role of its own."
SELECT eventTime,
       errorCode,
       coalesce(requestParameters -> 'CreateReplaceRootVolumeTaskRequest' ->> 'SnapshotId', requestParameters ->> 'snapshotId') AS snapshot,
       coalesce(requestParameters -> 'CreateReplaceRootVolumeTaskRequest' ->> 'ImageId', requestParameters ->> 'imageId') AS image,
       coalesce(requestParameters -> 'CreateReplaceRootVolumeTaskRequest' ->> 'DeleteReplacedRootVolume', requestParameters ->> 'deleteReplacedRootVolume') AS old_volume_deleted,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters -> 'CreateReplaceRootVolumeTaskRequest' ->> 'InstanceId', requestParameters ->> 'instanceId') AS resource,
       CASE WHEN errorCode IS NOT NULL THEN 'low'
            WHEN coalesce(requestParameters -> 'CreateReplaceRootVolumeTaskRequest' ->> 'DeleteReplacedRootVolume', requestParameters ->> 'deleteReplacedRootVolume') = 'true' THEN 'high'
            ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Root volume of a running EC2 instance was replaced by a person'
            ELSE 'Somebody tried to replace the root volume of an EC2 instance' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'CreateReplaceRootVolumeTask'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND userIdentity.invokedBy IS NULL
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
