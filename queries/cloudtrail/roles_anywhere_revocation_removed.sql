-- title    = "Revocation list of IAM Roles Anywhere was removed or switched off"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.t1556", "attack.defense_evasion", "attack.t1562.001"]
-- remedy   = "Import the list again and enable it: until then certificates that were revoked fetch credentials. Look for sessions begun with one of them (CreateSession)."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'crlId' AS resource
FROM cloudtrail
WHERE eventSource = 'rolesanywhere.amazonaws.com'
  AND eventName IN ('DeleteCrl', 'DisableCrl')
  AND errorCode IS NULL
