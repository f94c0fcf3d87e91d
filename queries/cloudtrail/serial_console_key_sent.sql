-- title    = "SSH key was sent to an instance's serial console"
-- severity = "high"
-- tags     = ["attack.lateral_movement", "attack.t1021.004", "attack.t1021.008"]
-- remedy   = "Ask the operator; if nobody is repairing the instance, isolate it, disable serial console access and contain the principal."
SELECT eventTime,
       errorCode,
       requestParameters ->> 'sSHPublicKey' AS public_key,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'instanceId' AS resource,
       CASE WHEN errorCode IS NULL THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'SSH key was sent to an instance''s serial console'
            ELSE 'Somebody tried to send an SSH key to an instance''s serial console' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2-instance-connect.amazonaws.com'
  AND eventName = 'SendSerialConsoleSSHPublicKey'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
