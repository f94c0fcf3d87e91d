-- title           = "Console password of another IAM user was changed"
-- severity        = "high"
-- tags            = ["attack.privilege_escalation", "attack.persistence", "attack.t1098", "attack.t1078.004"]
-- remedy          = "Ask the user whether they wanted a new password. If not: reset it again, revoke the sessions of the user, and look for sign-ins since."
-- false_positives = "A help desk in the console after a sign-in with MFA or through IAM Identity Center, where the user must choose another password at the next sign-in (low); a vault that rotates passwords from a private address (medium)."
SELECT eventTime,
       requestParameters ->> 'userName' AS for_user,
       requestParameters ->> 'passwordResetRequired' AS reset_required,
       sourceIPAddress, userAgent,
       'user/' || (requestParameters ->> 'userName') AS resource,
       CASE WHEN requestParameters ->> 'passwordResetRequired' = 'true' THEN CASE WHEN sessionCredentialFromConsole AND (userIdentity.sessionContext.attributes.mfaAuthenticated = 'true' OR userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%') THEN 'low' ELSE 'medium' END
            -- a vault that rotates, within the network: a user agent is what the caller writes
            WHEN ip_is_private(sourceIPAddress) AND NOT is_by_hand_or_script() AND NOT is_infrastructure_tool() THEN 'medium' ELSE 'high' END AS severity
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'UpdateLoginProfile'
  AND requestParameters ->> 'userName' IS NOT NULL
  AND (requestParameters ->> 'userName' IS DISTINCT FROM userIdentity.userName)
  AND errorCode IS NULL
