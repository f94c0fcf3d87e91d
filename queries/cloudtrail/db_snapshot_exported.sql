-- title           = "Database snapshot, table, graph, ledger or store of health records was exported to S3"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.t1537"]
-- remedy          = "Check that the bucket is yours and who reads it; cancel a running export (CancelExportTask) that nobody asked for."
-- false_positives = "Scheduled exports into the own data lake."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 's3BucketName', requestParameters ->> 's3Bucket', requestParameters ->> 'targetBucket', requestParameters ->> 'destination', json_get_str(requestParameters, 's3ExportConfiguration', 'bucket'), json_get_str(requestParameters, 'outputDataConfig', 's3Configuration', 's3Uri')) AS bucket,
       requestParameters ->> 's3BucketOwner' AS bucket_owner,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'sourceArn', requestParameters ->> 'tableArn', requestParameters ->> 'sourceSnapshotName', requestParameters ->> 'graphIdentifier', requestParameters ->> 'serverlessCacheSnapshotName', requestParameters ->> 'name', requestParameters ->> 'datastoreId') AS resource,
       CASE WHEN requestParameters ->> 's3BucketOwner' != account THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource IN ('rds.amazonaws.com', 'dynamodb.amazonaws.com', 'elasticache.amazonaws.com', 'memorydb.amazonaws.com', 'neptune-graph.amazonaws.com', 'qldb.amazonaws.com', 'healthlake.amazonaws.com')
  AND eventName IN ('StartExportTask', 'ExportTableToPointInTime', 'CopySnapshot', 'ExportServerlessCacheSnapshot', 'ExportJournalToS3', 'StartFHIRExportJob')
  AND (eventName <> 'CopySnapshot'
       OR requestParameters ->> 'targetBucket' IS NOT NULL)
  AND errorCode IS NULL
