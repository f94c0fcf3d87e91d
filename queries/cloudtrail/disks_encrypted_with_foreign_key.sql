-- title           = "EBS encryption was set to a KMS key of another account"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1486"]
-- remedy          = "Set the default key back: who owns the key may take the volumes away."
SELECT eventTime,
       eventName,
       requestParameters AS key,
       sourceIPAddress,
       userAgent,
       account AS resource
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'ModifyEbsDefaultKmsKeyId'
  AND regexp_like(replace(requestParameters, account, ''), ':[0-9]{12}:')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
