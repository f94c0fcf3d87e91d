-- title    = "Account left its organization"
-- severity = "critical"
-- tags     = ["attack.defense_evasion", "attack.impact", "attack.t1666", "attack.t1562"]
-- remedy   = "Contain the principal. If the account has left: service control policies and the organization's trail no longer hold in it, so invite it back from the management account, and review what was done since."
SELECT eventTime, errorCode, sourceIPAddress, userAgent,
       account AS resource,
       CASE WHEN errorCode IS NULL THEN 'critical' ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Account left its organization'
            ELSE 'Somebody tried to take the account out of its organization' END AS title
FROM cloudtrail
WHERE eventSource = 'organizations.amazonaws.com'
  AND eventName = 'LeaveOrganization'
