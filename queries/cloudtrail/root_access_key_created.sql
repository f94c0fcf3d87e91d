-- title    = "Access key was created for the root user"
-- severity = "critical"
-- tags     = ["attack.persistence", "attack.privilege_escalation", "attack.t1098.001", "cis.1.4"]
-- remedy   = "Delete the key now, then find out who was signed in as root and from where."
SELECT eventTime,
       json_get_str(responseElements, 'accessKey', 'accessKeyId') AS access_key,
       sourceIPAddress, userAgent,
       userIdentity.arn AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'CreateAccessKey'
  AND userIdentity.type = 'Root'
  AND requestParameters ->> 'userName' IS NULL
  AND errorCode IS NULL
