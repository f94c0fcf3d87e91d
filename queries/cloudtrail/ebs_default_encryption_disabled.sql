-- title    = "EBS encryption by default was disabled"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1562.001", "attack.impact", "cis.2.2.1"]
-- remedy   = "Enable it again (EnableEbsEncryptionByDefault) and list the volumes made without encryption in between."
SELECT eventTime,
       errorCode,
       awsRegion,
       sourceIPAddress,
       userAgent,
       account AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'EBS encryption by default was disabled'
            ELSE 'Somebody tried to disable EBS encryption by default' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'DisableEbsEncryptionByDefault'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
