-- title    = "E-mail address of the root user was changed"
-- severity = "high"
-- tags     = ["attack.persistence", "attack.impact", "attack.t1098", "attack.t1531"]
-- remedy   = "Confirm with the owner of the account. If unknown, open a case with AWS Support at once: the new address can reset the root password."
SELECT eventTime, eventName, sourceIPAddress, userAgent,
       requestParameters ->> 'accountId' AS changed_account,
       coalesce(requestParameters ->> 'accountId', account) AS resource,
       -- until the code that was sent is given back nothing has changed
       CASE WHEN eventName = 'StartPrimaryEmailUpdate' THEN 'medium' ELSE 'high' END AS severity,
       CASE WHEN eventName = 'StartPrimaryEmailUpdate' THEN 'Change of the e-mail address of the root user was begun'
            ELSE 'E-mail address of the root user was changed' END AS title
FROM cloudtrail
WHERE eventSource IN ('account.amazonaws.com', 'signin.amazonaws.com')
  AND eventName IN ('AcceptPrimaryEmailUpdate', 'EmailUpdated', 'StartPrimaryEmailUpdate')
  AND errorCode IS NULL
