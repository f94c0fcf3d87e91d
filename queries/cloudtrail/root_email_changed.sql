-- title    = "E-mail address of the root user was changed"
-- severity = "high"
-- tags     = ["attack.persistence", "attack.impact", "attack.t1098", "attack.t1531"]
-- remedy   = "Confirm with the owner of the account. If unknown, open a case with AWS Support at once: the new address can reset the root password."
SELECT eventTime, eventName, sourceIPAddress, userAgent,
       requestParameters ->> 'accountId' AS changed_account,
       coalesce(requestParameters ->> 'accountId', account) AS resource
FROM cloudtrail
WHERE eventSource IN ('account.amazonaws.com', 'signin.amazonaws.com')
  AND eventName IN ('AcceptPrimaryEmailUpdate', 'EmailUpdated')
  AND errorCode IS NULL
