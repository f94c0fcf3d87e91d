-- title    = "Security contact of the account was changed"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1562", "cis.1.2"]
-- remedy   = "Check that the contact is one of yours: AWS sends its abuse and security notices there. Put the old one back if not."
SELECT eventTime, eventName, sourceIPAddress, userAgent,
       requestParameters ->> 'alternateContactType' AS contact,
       coalesce(requestParameters ->> 'accountId', account) AS resource
FROM cloudtrail
WHERE eventSource = 'account.amazonaws.com'
  AND eventName IN ('PutAlternateContact', 'DeleteAlternateContact')
  AND requestParameters ->> 'alternateContactType' = 'SECURITY'
  AND errorCode IS NULL
