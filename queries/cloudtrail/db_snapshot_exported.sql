-- title           = "Database snapshot, table, graph, ledger or store of health records was exported to S3"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.t1537"]
-- remedy          = "Check that the bucket is yours and who reads it; cancel a running export (CancelExportTask) that nobody asked for."
-- false_positives = "Scheduled exports into the own data lake: low for the role of a program that exports to the same bucket on a third day of a week."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 's3BucketName', requestParameters ->> 's3Bucket', requestParameters ->> 'targetBucket', requestParameters ->> 'destination', json_get_str(requestParameters, 's3ExportConfiguration', 'bucket'), json_get_str(requestParameters, 'outputDataConfig', 's3Configuration', 's3Uri')) AS bucket,
       requestParameters ->> 's3BucketOwner' AS bucket_owner,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN without_own(requestParameters ->> 's3BucketOwner', account) <> '' THEN 'high'
            WHEN days >= 3 AND NOT is_person() THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || coalesce(requestParameters ->> 'sourceArn', requestParameters ->> 'tableArn', requestParameters ->> 'sourceSnapshotName', requestParameters ->> 'graphIdentifier', requestParameters ->> 'serverlessCacheSnapshotName', requestParameters ->> 'name', requestParameters ->> 'datastoreId')) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource IN ('rds.amazonaws.com', 'dynamodb.amazonaws.com', 'elasticache.amazonaws.com', 'memorydb.amazonaws.com', 'neptune-graph.amazonaws.com', 'qldb.amazonaws.com', 'healthlake.amazonaws.com')
        AND eventName IN ('StartExportTask', 'ExportTableToPointInTime', 'CopySnapshot', 'ExportServerlessCacheSnapshot', 'ExportJournalToS3', 'StartFHIRExportJob')
        AND (eventName <> 'CopySnapshot'
             OR requestParameters ->> 'targetBucket' IS NOT NULL)
      WINDOW week AS (PARTITION BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), is_person(), is_by_hand_or_script(), userIdentity.invokedBy, eventName,
                                 coalesce(requestParameters ->> 's3BucketName', requestParameters ->> 's3Bucket', requestParameters ->> 'targetBucket', requestParameters ->> 'destination', json_get_str(requestParameters, 's3ExportConfiguration', 'bucket'), json_get_str(requestParameters, 'outputDataConfig', 's3Configuration', 's3Uri')),
                                 requestParameters ->> 's3BucketOwner', errorCode IS NULL
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL
