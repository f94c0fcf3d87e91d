-- title           = "S3 ACL was written that names another account"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.t1537", "attack.t1530"]
-- remedy          = "Find out whose canonical id it is (DescribeAccount of your accounts has theirs); put the ACL back, and turn ACLs off (bucket owner enforced)."
-- false_positives = "Accounts of your own; buckets that log to others."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'AccessControlPolicy', requestParameters ->> 'x-amz-grant-full-control', requestParameters ->> 'x-amz-grant-read', requestParameters ->> 'x-amz-grant-write') AS acl,
       sourceIPAddress,
       userAgent,
       'arn:aws:s3:::' || (requestParameters ->> 'bucketName') AS resource
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('PutBucketAcl', 'PutObjectAcl')
  -- log delivery of CloudFront has this id everywhere
  AND (array_any_match(json_texts(requestParameters, 'AccessControlPolicy', 'AccessControlList', 'Grant', 'Grantee', 'ID'),
                        i -> i <> coalesce(requestParameters -> 'AccessControlPolicy' -> 'Owner' ->> 'ID', i)
                             AND i <> 'c4c1ede66af53448b93c283ce9448c4ba468c9432aa01d700d3878632f77d2d0')
       -- the same in headers, which do not tell whose the bucket is: the owner needs no grant
       OR regexp_like(replace(concat_ws(',', requestParameters ->> 'x-amz-grant-full-control', requestParameters ->> 'x-amz-grant-read', requestParameters ->> 'x-amz-grant-write', requestParameters ->> 'x-amz-grant-read-acp', requestParameters ->> 'x-amz-grant-write-acp'),
                              'c4c1ede66af53448b93c283ce9448c4ba468c9432aa01d700d3878632f77d2d0', ''),
                      '[iI][dD]\s*=\s*\\?"?[0-9a-f]{64}'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
