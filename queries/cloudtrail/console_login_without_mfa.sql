-- title      = "IAM user signed in to the console without MFA"
-- severity   = "medium"
-- tags       = ["attack.initial_access", "attack.credential_access", "attack.t1078.004", "cis.1.10"]
-- remedy     = "Ask the user whether it was them, have them register an MFA device, and deny everything but that until they have."
-- confidence = "high"
SELECT eventTime, userIdentity.userName, sourceIPAddress, userAgent,
       userIdentity.arn AS resource
FROM cloudtrail
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'ConsoleLogin'
  AND userIdentity.type = 'IAMUser'
  AND responseElements ->> 'ConsoleLogin' = 'Success'
  AND additionalEventData ->> 'MFAUsed' = 'No'
