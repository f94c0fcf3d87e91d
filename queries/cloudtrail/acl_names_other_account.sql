-- title           = "S3 ACL was written that names another account"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.t1537", "attack.t1530"]
-- remedy          = "Find out whose canonical id it is (DescribeAccount of your accounts has theirs); put the ACL back, and turn ACLs off (bucket owner enforced)."
-- false_positives = "Accounts of your own; buckets that log to others."
SELECT eventTime,
       eventName,
       requestParameters ->> 'AccessControlPolicy' AS acl,
       sourceIPAddress,
       userAgent,
       'arn:aws:s3:::' || (requestParameters ->> 'bucketName') AS resource
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('PutBucketAcl', 'PutObjectAcl')
  -- log delivery of CloudFront has this id everywhere
  AND array_any_match(json_texts(requestParameters, 'AccessControlPolicy', 'AccessControlList', 'Grant', 'Grantee', 'ID'),
                        i -> i <> coalesce(requestParameters -> 'AccessControlPolicy' -> 'Owner' ->> 'ID', i)
                             AND i <> 'c4c1ede66af53448b93c283ce9448c4ba468c9432aa01d700d3878632f77d2d0')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
