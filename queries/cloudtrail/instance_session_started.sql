-- title           = "Session on an instance was started through Systems Manager"
-- severity        = "low"
-- tags            = ["attack.execution", "attack.lateral_movement", "attack.t1021.008"]
-- remedy          = "Compare with the on-call list; read the session's log in S3 or CloudWatch if session logging is on, and turn it on if it is not."
-- false_positives = "Operators."
SELECT eventTime,
       requestParameters ->> 'documentName' AS document,
       responseElements ->> 'sessionId' AS session,
       errorCode,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'target', requestParameters ->> 'sessionId') AS resource,
       -- who signed in through IAM Identity Center, or with MFA, goes to a database so on any day
       CASE WHEN errorCode IS NULL AND requestParameters ->> 'documentName' = 'AWS-StartPortForwardingSessionToRemoteHost'
                 AND coalesce(userIdentity.sessionContext.sessionIssuer.arn, '') NOT LIKE '%AWSReservedSSO%'
                 AND userIdentity.sessionContext.attributes.mfaAuthenticated IS DISTINCT FROM 'true' THEN 'medium'
            -- operators have sessions; a key that never ends is what is found and stolen, and so is the role of a program
            WHEN errorCode IS NULL AND eventName = 'ResumeSession' THEN 'medium'
            WHEN errorCode IS NULL AND ((userIdentity.accessKeyId LIKE 'AKIA%' OR userIdentity.type = 'FederatedUser') OR is_by_hand() AND NOT is_person()) THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NOT NULL THEN 'Somebody tried to start a session on an instance through Systems Manager'
            WHEN eventName = 'ResumeSession' THEN 'Session of somebody else on an instance was resumed'
            WHEN requestParameters ->> 'documentName' = 'AWS-StartPortForwardingSessionToRemoteHost' THEN 'Tunnel through an instance to another host was started'
            ELSE 'Session on an instance was started through Systems Manager' END AS title
FROM cloudtrail
WHERE eventSource IN ('ssm.amazonaws.com', 'ssm-guiconnect.amazonaws.com')
  AND eventName IN ('StartSession', 'StartConnection', 'ResumeSession')
  -- its id begins with the name of the user, or of the session of the role, that began it
  AND (eventName <> 'ResumeSession'
       OR strpos(requestParameters ->> 'sessionId', coalesce(userIdentity.userName, regexp_replace(userIdentity.arn, '^.*[/:]', ''))) <> 1)
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
