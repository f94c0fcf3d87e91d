-- title           = "IAM user gave itself a password for the console by its access key"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1098", "attack.t1078.004"]
-- remedy          = "Ask the owner of the key. If it was not them: delete the login profile, deactivate the key, and look for sign-ins of the user."
-- false_positives = "An administrator who sets up a user of their own."
-- description     = "Who has found a key and prefers the console gives the user of the key a password, or another. Users of programs have none, and people got theirs from somebody else."
SELECT eventTime,
       userIdentity.userName AS user_name,
       requestParameters ->> 'passwordResetRequired' AS reset_required,
       sourceIPAddress,
       userAgent,
       'user/' || userIdentity.userName AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreateLoginProfile', 'UpdateLoginProfile')
  -- in the console people choose another for themselves
  AND sessionCredentialFromConsole IS NOT TRUE
  AND errorCode IS NULL
  AND userIdentity.type = 'IAMUser'
  -- without a name it is of the caller
  AND coalesce(requestParameters ->> 'userName', userIdentity.userName) = userIdentity.userName
