-- title           = "Website of a bucket was made to send all its visitors to another name"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1491.002"]
-- remedy          = "Look at the host and ask the person. If it is not yours: put the website back, and look at the objects of the bucket and the records of its name for more that was changed."
-- false_positives = "A site that moves to a new name."
-- description     = "By a person or an instance, to a host that does not share the name of the bucket; from www.example.com to example.com and back is what such buckets are for."
SELECT eventTime,
       json_get_str(requestParameters, 'WebsiteConfiguration', 'RedirectAllRequestsTo', 'HostName') AS sent_to,
       errorCode,
       sourceIPAddress,
       userAgent,
       'arn:aws:s3:::' || (requestParameters ->> 'bucketName') AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Website of a bucket was made to send all its visitors to another name'
            ELSE 'Somebody tried to make the website of a bucket send its visitors to another name' END AS title
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'PutBucketWebsite'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND userIdentity.invokedBy IS NULL
  AND right(json_get_str(requestParameters, 'WebsiteConfiguration', 'RedirectAllRequestsTo', 'HostName'), length(regexp_replace(requestParameters ->> 'bucketName', '^www[.]', ''))) <> regexp_replace(requestParameters ->> 'bucketName', '^www[.]', '')
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
