-- title           = "Windows administrator password of an EC2 instance was asked for"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.t1552"]
-- remedy          = "Ask the principal which instances it administers; change the local administrator password if the answer does not fit."
-- false_positives = "Windows administrators; Packer in a pipeline or on a build server (low)."
SELECT eventTime,
       requestParameters ->> 'instanceId' AS instance,
       errorCode,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'instanceId' AS resource,
       -- Packer asks for that of the instance that it makes an image of
       CASE WHEN regexp_like(userAgent, '[Pp]acker') AND NOT is_person() THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Windows administrator password of an EC2 instance was asked for'
            ELSE 'Somebody tried to get the Windows administrator password of an EC2 instance' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'GetPasswordData'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
