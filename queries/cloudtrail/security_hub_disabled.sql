-- title    = "Security Hub was disabled, cut off or lost a standard"
-- severity = "high"
-- tags     = ["attack.defense_evasion", "attack.t1562.001", "cis.4.16"]
-- remedy   = "Enable Security Hub and its standards again from the administrator account; review who may call DisableSecurityHub."
SELECT eventTime,
       eventName,
       errorCode,
       requestParameters ->> 'StandardsSubscriptionArns' AS standards,
       sourceIPAddress,
       userAgent,
       account AS resource,
       CASE WHEN errorCode IS NOT NULL OR eventName = 'BatchDisableStandards' THEN 'medium' ELSE 'high' END AS severity,
       CASE WHEN errorCode IS NOT NULL THEN 'Somebody tried to disable Security Hub or a part of it'
            WHEN eventName = 'BatchDisableStandards' THEN 'Security Hub standard was disabled'
            ELSE 'Security Hub was disabled or cut off from its administrator' END AS title
FROM cloudtrail
WHERE eventSource = 'securityhub.amazonaws.com'
  AND eventName IN ('DisableSecurityHub', 'DisableSecurityHubV2', 'DisassociateFromAdministratorAccount', 'DisassociateFromMasterAccount', 'DisassociateMembers', 'DeleteMembers', 'DisableOrganizationAdminAccount', 'BatchDisableStandards')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
