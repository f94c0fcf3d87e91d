-- title    = "EC2 serial console was enabled for the account"
-- severity = "medium"
-- tags     = ["attack.lateral_movement", "attack.t1021.008"]
-- remedy   = "Disable it (DisableSerialConsoleAccess) unless an operator is repairing an instance now; the console goes past security groups."
SELECT eventTime,
       errorCode,
       sourceIPAddress,
       userAgent,
       account AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'EC2 serial console was enabled for the account'
            ELSE 'Somebody tried to enable the EC2 serial console' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'EnableSerialConsoleAccess'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
