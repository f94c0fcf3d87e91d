-- title    = "GuardDuty was disabled or cut off from its administrator"
-- severity = "high"
-- tags     = ["attack.defense_evasion", "attack.t1562.001"]
-- remedy   = "Enable the detector again in this Region and every other, associate it with the administrator account, and treat the principal as compromised until it explains itself."
SELECT eventTime,
       eventName,
       errorCode,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'detectorId', requestParameters ->> 'adminAccountId') AS resource,
       CASE WHEN errorCode IS NULL THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'GuardDuty was disabled or cut off from its administrator'
            ELSE 'Somebody tried to disable GuardDuty or to cut it off from its administrator' END AS title
FROM cloudtrail
WHERE eventSource = 'guardduty.amazonaws.com'
  AND eventName IN ('DeleteDetector', 'UpdateDetector', 'DisassociateFromMasterAccount', 'DisassociateFromAdministratorAccount', 'StopMonitoringMembers', 'DisassociateMembers', 'DeleteMembers', 'DisableOrganizationAdminAccount')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND (eventName != 'UpdateDetector' OR requestParameters ->> 'enable' = 'false')
