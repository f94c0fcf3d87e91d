-- title           = "Person set up replication of a bucket"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.collection", "attack.t1537", "attack.t1119"]
-- remedy          = "Find out whose the destination is; take the rule off if nobody claims it, and look at what was replicated since."
-- false_positives = "A backup that is set up by hand."
SELECT eventTime,
       eventName,
       requestParameters ->> 'ReplicationConfiguration' AS replication,
       sourceIPAddress,
       userAgent,
       'arn:aws:s3:::' || (requestParameters ->> 'bucketName') AS resource,
       -- bucket_replicated_outside tells it
       CASE WHEN regexp_like(replace(requestParameters ->> 'ReplicationConfiguration', account, ''), '"Account"\s*:\s*"?[0-9]{12}') THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'PutBucketReplication'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand_or_script()
