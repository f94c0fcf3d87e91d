-- title           = "IAM user signed in to the console without MFA"
-- severity        = "medium"
-- confidence      = "high"
-- key             = ["account", "userIdentity.arn", "sourceIPAddress"]
-- dedupe          = "7d"
-- tags            = ["attack.initial_access", "attack.credential_access", "attack.t1078.004", "cis.1.10"]
-- remedy          = "Ask the user whether it was them, have them register an MFA device, and deny everything but that until they have."
-- false_positives = "Users who have no MFA device yet: one finding a week for each address that a user signs in from."
SELECT eventTime, userIdentity.userName, sourceIPAddress, userAgent,
       userIdentity.arn AS resource
FROM cloudtrail
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'ConsoleLogin'
  AND userIdentity.type = 'IAMUser'
  AND responseElements ->> 'ConsoleLogin' = 'Success'
  AND additionalEventData ->> 'MFAUsed' = 'No'
