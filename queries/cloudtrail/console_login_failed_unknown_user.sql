-- title           = "Console sign-in was tried with a user name that does not exist"
-- severity        = "low"
-- tags            = ["attack.credential_access", "attack.reconnaissance", "attack.t1110.003", "attack.t1589"]
-- remedy          = "Look for other names tried from the address and for a success after them; block the address if it goes on."
-- key             = ["account", "sourceIPAddress"]
-- false_positives = "A password typed into the user name field."
SELECT eventTime, sourceIPAddress, userAgent, errorMessage
FROM cloudtrail
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'ConsoleLogin'
  AND userIdentity.userName = 'HIDDEN_DUE_TO_SECURITY_REASONS'
  AND (responseElements ->> 'ConsoleLogin' = 'Failure'
       OR responseElements IS NULL
          AND coalesce(errorMessage, errorCode) IS NOT NULL)
