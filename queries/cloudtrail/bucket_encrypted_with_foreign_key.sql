-- title           = "S3 bucket was set to encrypt with a KMS key of another account"
-- severity        = "high"
-- tags            = ["attack.impact", "attack.t1486"]
-- remedy          = "Set the bucket's encryption back to a key of yours; copy what was written in between while the other account still allows its key."
-- false_positives = "A central account that keeps the keys of yours."
SELECT eventTime,
       requestParameters ->> 'ServerSideEncryptionConfiguration' AS encryption,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, concat('arn:aws:s3:::', requestParameters ->> 'bucketName')) AS resource
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'PutBucketEncryption'
  AND errorCode IS NULL
  AND regexp_like(without_own(requestParameters ->> 'ServerSideEncryptionConfiguration', account), ':kms:[a-z0-9-]+:[0-9]{12}:')
