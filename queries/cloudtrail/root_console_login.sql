-- title           = "Root user signed in to the console"
-- severity        = "high"
-- tags            = ["attack.initial_access", "attack.persistence", "attack.t1078.004", "attack.t1078.001", "cis.1.7"]
-- remedy          = "Ask the owner of the account whether they signed in. If not: reset the root password, replace its MFA device, delete root access keys, and review every root call since."
-- false_positives = "The few tasks that only root can do, and break-glass drills announced beforehand."
SELECT eventTime, sourceIPAddress, userAgent,
       additionalEventData ->> 'MFAUsed' AS mfa_used,
       userIdentity.arn AS resource,
       CASE WHEN additionalEventData ->> 'MFAUsed' = 'No' THEN 'critical' ELSE 'high' END AS severity,
       CASE WHEN additionalEventData ->> 'MFAUsed' = 'No' THEN 'Root user signed in to the console without MFA'
            ELSE 'Root user signed in to the console' END AS title
FROM cloudtrail
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'ConsoleLogin'
  AND userIdentity.type = 'Root'
  AND responseElements ->> 'ConsoleLogin' = 'Success'
