-- title           = "SSH key was sent to an instance through EC2 Instance Connect"
-- severity        = "low"
-- tags            = ["attack.lateral_movement", "attack.t1021.004"]
-- remedy          = "Ask the principal what was done on the instance; where nobody uses Instance Connect, deny ec2-instance-connect:SendSSHPublicKey."
-- false_positives = "Operators."
SELECT eventTime,
       errorCode,
       requestParameters ->> 'instanceOSUser' AS os_user,
       requestParameters ->> 'sSHPublicKey' AS public_key,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'instanceId' AS resource,
       -- operators have sessions; a key that never ends is what is found and stolen
       CASE WHEN ((userIdentity.accessKeyId LIKE 'AKIA%' OR userIdentity.type = 'FederatedUser') OR is_by_hand() AND NOT is_person()) AND errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NOT NULL THEN 'Somebody tried to send an SSH key to an instance'
            ELSE 'SSH key was sent to an instance through EC2 Instance Connect' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2-instance-connect.amazonaws.com'
  AND eventName = 'SendSSHPublicKey'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
