-- title    = "EC2 image or instance was exported to S3"
-- severity = "medium"
-- tags     = ["attack.exfiltration", "attack.t1537", "attack.collection", "attack.t1005"]
-- remedy   = "Check the bucket's owner and readers; cancel the export task if nobody asked for it."
SELECT eventTime,
       eventName,
       errorCode,
       coalesce(requestParameters ->> 'bucket', requestParameters -> 'CreateStoreImageTaskRequest' ->> 'Bucket', requestParameters -> 'exportToS3' ->> 's3Bucket', requestParameters -> 'exportToS3Task' ->> 's3Bucket') AS bucket,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'imageId', requestParameters ->> 'instanceId', requestParameters -> 'CreateStoreImageTaskRequest' ->> 'ImageId', requestParameters -> 'ExportImageRequest' ->> 'ImageId', requestParameters ->> 'sourceSnapshotName') AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'EC2 image or instance was exported to S3'
            ELSE 'Somebody tried to export an EC2 image or instance to S3' END AS title
FROM cloudtrail
WHERE eventSource IN ('ec2.amazonaws.com', 'lightsail.amazonaws.com')
  AND eventName IN ('CreateInstanceExportTask', 'ExportImage', 'CreateStoreImageTask', 'ExportSnapshot')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
