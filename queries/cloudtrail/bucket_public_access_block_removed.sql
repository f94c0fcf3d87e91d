-- title    = "S3 bucket lost its S3 public access block"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1562.001", "cis.2.1.4"]
-- remedy   = "Put all four settings back to true (PutPublicAccessBlock), then look for policies and ACLs that became effective in between."
-- false_positives = "A new web site: low where whoever does so made the bucket within the day, in us-east-1 in the console; that it is opened then is told."
SELECT eventTime,
       eventName,
       errorCode,
       requestParameters ->> 'PublicAccessBlockConfiguration' AS settings,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN errorCode IS NULL AND made < buckets THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'S3 bucket lost its S3 public access block'
            ELSE 'Somebody tried to take the S3 public access block off a bucket' END AS title
FROM (SELECT *,
             count(DISTINCT requestParameters ->> 'bucketName') OVER day AS buckets,
             -- in us-east-1 whoever has a bucket may make it again; the console makes new ones alone
             count(DISTINCT CASE WHEN eventName = 'CreateBucket' AND (awsRegion <> 'us-east-1' OR sessionCredentialFromConsole IS TRUE) THEN requestParameters ->> 'bucketName' END) OVER day AS made,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || (CASE WHEN eventName <> 'CreateBucket' THEN coalesce(resources[1].arn, concat('arn:aws:s3:::', requestParameters ->> 'bucketName')) END)) OVER day AS latest
      FROM cloudtrail
      WHERE eventSource = 's3.amazonaws.com'
        AND (eventName = 'CreateBucket'
             OR eventName IN ('DeleteBucketPublicAccessBlock', 'DeletePublicAccessBlock')
             OR eventName IN ('PutBucketPublicAccessBlock', 'PutPublicAccessBlock')
                AND regexp_like(requestParameters ->> 'PublicAccessBlockConfiguration', '"(BlockPublicAcls|IgnorePublicAcls|BlockPublicPolicy|RestrictPublicBuckets)"\s*:\s*"?false'))
        AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
      WINDOW day AS (PARTITION BY account, CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN userIdentity.arn ELSE coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) END, errorCode IS NULL
                     ORDER BY eventTime RANGE BETWEEN INTERVAL '24 hours' PRECEDING AND CURRENT ROW))
WHERE eventName <> 'CreateBucket'
