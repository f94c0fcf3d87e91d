-- title    = "Root user failed to sign in to the console"
-- severity = "medium"
-- tags     = ["attack.credential_access", "attack.initial_access", "attack.t1110", "attack.t1078.004", "cis.1.7"]
-- remedy   = "Ask the owner of the account whether they mistyped. If not, somebody knows the root e-mail address: check that MFA is enforced and that the mailbox is safe."
SELECT eventTime, sourceIPAddress, userAgent, errorMessage,
       additionalEventData ->> 'MFAUsed' AS mfa_used,
       userIdentity.arn AS resource
FROM cloudtrail
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'ConsoleLogin'
  AND userIdentity.type = 'Root'
  AND (responseElements ->> 'ConsoleLogin' = 'Failure'
       OR responseElements IS NULL
          AND coalesce(errorMessage, errorCode) IS NOT NULL)
