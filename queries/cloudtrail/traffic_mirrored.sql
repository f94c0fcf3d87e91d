-- title           = "VPC traffic mirroring was started"
-- severity        = "medium"
-- tags            = ["attack.collection", "attack.t1040", "attack.credential_access"]
-- remedy          = "Ask who listens at the mirror target; delete the session if it is no monitoring of yours."
-- false_positives = "Network detection products."
SELECT eventTime,
       errorCode,
       requestParameters ->> 'CreateTrafficMirrorSessionRequest' AS request,
       sourceIPAddress,
       userAgent,
       requestParameters -> 'CreateTrafficMirrorSessionRequest' ->> 'NetworkInterfaceId' AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'VPC traffic mirroring was started'
            ELSE 'Somebody tried to start VPC traffic mirroring' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'CreateTrafficMirrorSession'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
