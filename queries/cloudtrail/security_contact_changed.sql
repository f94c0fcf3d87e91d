-- title    = "Security contact of the account was changed"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1562", "cis.1.2"]
-- remedy   = "Check that the contact is one of yours: AWS sends its abuse and security notices there. Put the old one back if not."
SELECT eventTime, eventName, sourceIPAddress, userAgent,
       coalesce(requestParameters ->> 'alternateContactType', requestParameters ->> 'AlternateContactType') AS contact,
       coalesce(requestParameters ->> 'accountId', requestParameters ->> 'AccountId', account) AS resource,
       CASE WHEN eventName = 'PutContactInformation' THEN 'Primary contact of the account was changed'
            ELSE 'Security contact of the account was changed' END AS title
FROM cloudtrail
WHERE eventSource = 'account.amazonaws.com'
  AND eventName IN ('PutAlternateContact', 'DeleteAlternateContact', 'PutContactInformation')
  AND (eventName = 'PutContactInformation'
       OR coalesce(requestParameters ->> 'alternateContactType', requestParameters ->> 'AlternateContactType') = 'SECURITY')
  AND errorCode IS NULL
