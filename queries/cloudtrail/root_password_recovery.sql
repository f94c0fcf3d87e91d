-- title    = "Recovery of the root password was requested, or the password changed"
-- severity = "medium"
-- tags     = ["attack.credential_access", "attack.persistence", "attack.t1098", "attack.t1078.004", "attack.t1078.001", "cis.1.7"]
-- remedy   = "Ask the owner of the account whether they asked for it. If not, secure the mailbox of the root e-mail address first, then reset the password and the MFA device."
SELECT eventTime, sourceIPAddress, userAgent, eventName,
       userIdentity.arn AS resource,
       CASE WHEN eventName IN ('PasswordRecoveryCompleted', 'PasswordUpdated') THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN eventName = 'PasswordRecoveryCompleted' THEN 'Root password was reset by recovery'
            WHEN eventName = 'PasswordUpdated' THEN 'Root password was changed'
            ELSE 'Recovery of the root password was requested' END AS title
FROM cloudtrail
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName IN ('PasswordRecoveryRequested', 'PasswordRecoveryCompleted', 'PasswordUpdated')
  AND userIdentity.type = 'Root'
  AND errorCode IS NULL
