-- title    = "Root session of a member account was taken"
-- severity = "medium"
-- tags     = ["attack.privilege_escalation", "attack.lateral_movement", "attack.t1548.005", "attack.t1550.001", "attack.t1078.004"]
-- remedy   = "Confirm with whoever runs central root access, then read what the session did: filter on userIdentity.sessionContext.assumedRoot in the member account."
SELECT eventTime,
       requestParameters ->> 'targetPrincipal' AS target_account,
       json_get_str(requestParameters, 'taskPolicyArn', 'arn') AS task,
       sourceIPAddress, userAgent, errorCode,
       requestParameters ->> 'targetPrincipal' AS resource,
       CASE WHEN errorCode IS NOT NULL THEN 'low'
            WHEN requestParameters ->> 'taskPolicyArn' LIKE '%IAMAuditRootUserCredentials%' THEN 'low'
            WHEN requestParameters ->> 'taskPolicyArn' LIKE '%IAMCreateRootUserPassword%' THEN 'high'
            ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Root session of a member account was taken'
            ELSE 'Somebody tried to take a root session of a member account' END AS title
FROM cloudtrail
WHERE eventSource = 'sts.amazonaws.com'
  AND eventName = 'AssumeRoot'
