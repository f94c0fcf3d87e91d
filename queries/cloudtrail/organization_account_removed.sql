-- title    = "Account was removed from the organization or closed"
-- severity = "high"
-- tags     = ["attack.impact", "attack.defense_evasion", "attack.t1666", "attack.t1531"]
-- remedy   = "Confirm with the owner of the account. A closed account can be reopened through AWS Support for 90 days; a removed one must be invited again."
SELECT eventTime, eventName,
       requestParameters ->> 'accountId' AS removed_account,
       sourceIPAddress, userAgent,
       coalesce(requestParameters ->> 'accountId', account) AS resource,
       CASE WHEN errorCode IS NULL THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NOT NULL THEN 'Somebody tried to remove or close an account or the organization'
            WHEN eventName = 'CloseAccount' THEN 'Account was closed'
            WHEN eventName = 'DeleteOrganization' THEN 'Organization was deleted'
            ELSE 'Account was removed from the organization' END AS title
FROM cloudtrail
WHERE eventSource IN ('organizations.amazonaws.com', 'account.amazonaws.com')
  AND eventName IN ('RemoveAccountFromOrganization', 'CloseAccount', 'DeleteOrganization')
