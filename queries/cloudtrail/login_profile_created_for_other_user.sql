-- title    = "Console password was given to an IAM user that had none"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.privilege_escalation", "attack.t1098", "attack.t1136.003"]
-- remedy   = "Ask the owner of the user whether it should sign in to the console. If not, delete the login profile and look for sign-ins of the user."
SELECT eventTime,
       requestParameters ->> 'userName' AS for_user,
       requestParameters ->> 'passwordResetRequired' AS reset_required,
       sourceIPAddress, userAgent,
       'user/' || (requestParameters ->> 'userName') AS resource,
       CASE WHEN requestParameters ->> 'passwordResetRequired' = 'true' THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'CreateLoginProfile'
  AND requestParameters ->> 'userName' IS NOT NULL
  AND (requestParameters ->> 'userName' IS DISTINCT FROM userIdentity.userName)
  AND errorCode IS NULL
