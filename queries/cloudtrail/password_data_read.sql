-- title           = "Windows administrator password of an EC2 instance was asked for"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.t1552"]
-- remedy          = "Ask the principal which instances it administers; change the local administrator password if the answer does not fit."
-- false_positives = "Windows administrators."
SELECT eventTime,
       requestParameters ->> 'instanceId' AS instance,
       errorCode,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'instanceId' AS resource,
       CASE WHEN errorCode IS NULL THEN 'Windows administrator password of an EC2 instance was asked for'
            ELSE 'Somebody tried to get the Windows administrator password of an EC2 instance' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'GetPasswordData'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
