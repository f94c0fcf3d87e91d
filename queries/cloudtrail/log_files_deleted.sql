-- title           = "Log files of AWS were deleted from their bucket"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.008", "attack.t1070", "attack.t1485"]
-- remedy          = "Restore the files (versions, replica), and look at what the principal did in the time that they tell of."
-- false_positives = "Clean-up of old logs by a person; lifecycle rules do it as a service and are left out."
SELECT eventTime,
       eventName,
       requestParameters ->> 'key' AS file,
       sourceIPAddress,
       userAgent,
       'arn:aws:s3:::' || (requestParameters ->> 'bucketName') AS resource
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('DeleteObject', 'DeleteObjects')
  AND (regexp_like(requestParameters ->> 'key', '(^|/)AWSLogs/(o-[a-z0-9]+/)?[0-9]{12}/(CloudTrail|Config|vpcflowlogs|GuardDuty|vpcdnsquerylogs|WAFLogs|elasticloadbalancing)')
       -- a call that deletes many names no key, only the bucket
       OR eventName = 'DeleteObjects'
          AND regexp_like(requestParameters ->> 'bucketName', '(?i)cloudtrail|aws-?logs|flow-?logs|config-bucket'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
