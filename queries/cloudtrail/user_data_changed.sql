-- title    = "User data of an EC2 instance was changed"
-- severity = "medium"
-- tags     = ["attack.execution", "attack.t1059", "attack.persistence", "attack.t1037"]
-- remedy   = "Read the user data now and compare it with its source: it runs as root at the next start. Look for StopInstances and StartInstances around this call."
SELECT eventTime,
       errorCode,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'instanceId' AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'User data of an EC2 instance was changed'
            ELSE 'Somebody tried to change the user data of an EC2 instance' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'ModifyInstanceAttribute'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND (json_contains(requestParameters, 'userData') OR requestParameters ->> 'attribute' = 'userData')
