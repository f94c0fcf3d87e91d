-- title    = "Macie, Inspector, Detective, Access Analyzer, Firewall Manager or Security Lake was disabled or cut back"
-- severity = "medium"
-- key      = ["account", "userIdentity.arn", "eventSource"]
-- tags     = ["attack.defense_evasion", "attack.t1562.001"]
-- remedy   = "Enable the service again from its administrator account and ask the principal why it was turned off."
SELECT eventTime,
       eventSource,
       eventName,
       errorCode,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'analyzerName', requestParameters ->> 'GraphArn', requestParameters ->> 'policyId', split_part(eventSource, '.', 1)) AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN '' ELSE 'Somebody tried to disable ' END
       || CASE WHEN eventSource = 'macie2.amazonaws.com' THEN 'Macie'
            WHEN eventSource = 'inspector2.amazonaws.com' THEN 'Inspector'
            WHEN eventSource = 'detective.amazonaws.com' THEN 'Detective'
            WHEN eventSource = 'access-analyzer.amazonaws.com' THEN 'IAM Access Analyzer'
            WHEN eventSource = 'fms.amazonaws.com' THEN 'Firewall Manager'
            WHEN eventSource = 'securitylake.amazonaws.com' THEN 'Security Lake'
            ELSE 'Security Incident Response' END
       || CASE WHEN errorCode IS NULL THEN ' was disabled or cut back' ELSE '' END AS title
FROM cloudtrail
WHERE eventSource IN ('macie2.amazonaws.com', 'inspector2.amazonaws.com', 'detective.amazonaws.com', 'access-analyzer.amazonaws.com', 'fms.amazonaws.com', 'securitylake.amazonaws.com', 'security-ir.amazonaws.com')
  AND eventName IN ('DisableMacie', 'DisassociateFromAdministratorAccount', 'Disable', 'DeleteGraph', 'DeleteAnalyzer', 'UpdateMacieSession', 'DeletePolicy',
                    'DisassociateAdminAccount', 'DeleteDataLake', 'DeleteMembers', 'DisassociateMembership', 'DisassociateMember', 'CancelMembership',
                    'UpdateAutomatedDiscoveryConfiguration', 'UpdateClassificationScope', 'DisableDelegatedAdminAccount', 'DisableOrganizationAdminAccount', 'DisassociateFromMasterAccount', 'UpdateMemberSession', 'UpdateClassificationJob', 'DeleteMember')
  AND (eventName NOT IN ('UpdateMacieSession', 'UpdateMemberSession')
       OR requestParameters ->> 'status' = 'PAUSED')
  AND (eventName <> 'UpdateClassificationJob'
       OR requestParameters ->> 'jobStatus' IN ('CANCELLED', 'USER_PAUSED'))
  AND (eventName <> 'UpdateAutomatedDiscoveryConfiguration'
       OR requestParameters ->> 'status' = 'DISABLED')
  AND (eventName <> 'UpdateClassificationScope'
       OR requestParameters -> 's3' -> 'excludes' ->> 'operation' IN ('ADD', 'REPLACE'))
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
