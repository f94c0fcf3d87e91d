-- title           = "Tunnel to an instance was opened through an EC2 Instance Connect Endpoint"
-- severity        = "low"
-- tags            = ["attack.lateral_movement", "attack.t1021.008", "attack.t1021.004"]
-- remedy          = "Ask whoever it was. If nobody can say: revoke the sessions, end the connections on the instance, and look at what was done on it."
-- false_positives = "Operators at work, who have sessions of a role: low."
SELECT eventTime,
       errorCode,
       requestParameters ->> 'remotePort' AS port,
       requestParameters ->> 'privateIpAddress' AS address,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'instanceId', requestParameters ->> 'instanceConnectEndpointId') AS resource,
       CASE WHEN ((userIdentity.accessKeyId LIKE 'AKIA%' OR userIdentity.type = 'FederatedUser') OR is_by_hand() AND NOT is_person()) AND errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NOT NULL THEN 'Somebody tried to open a tunnel to an instance'
            ELSE 'Tunnel to an instance was opened through an EC2 Instance Connect Endpoint' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2-instance-connect.amazonaws.com'
  AND eventName = 'OpenTunnel'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
