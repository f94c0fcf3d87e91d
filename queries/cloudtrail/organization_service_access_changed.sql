-- title    = "Access of an AWS service to the whole organization was changed"
-- severity = "low"
-- tags     = ["attack.defense_evasion", "attack.t1562.001", "attack.t1562.008"]
-- remedy   = "If it is a security service, switch its access on again and check that it still watches every account."
SELECT eventTime, eventName,
       requestParameters ->> 'servicePrincipal' AS service,
       sourceIPAddress, userAgent,
       requestParameters ->> 'servicePrincipal' AS resource,
       CASE WHEN eventName = 'DisableAWSServiceAccess'
                 AND split_part(requestParameters ->> 'servicePrincipal', '.', 1) IN
                     ('cloudtrail', 'guardduty', 'securityhub', 'config', 'config-multiaccountsetup', 'access-analyzer', 'macie', 'inspector2', 'detective', 'malware-protection')
            THEN 'high'
            -- what reaches into all accounts
            WHEN requestParameters ->> 'servicePrincipal' IN ('member.org.stacksets.cloudformation.amazonaws.com', 'ssm.amazonaws.com', 'sso.amazonaws.com', 'ram.amazonaws.com', 'account.amazonaws.com', 'iam.amazonaws.com')
                 AND userIdentity.invokedBy IS NULL
                 AND is_by_hand()
                 AND NOT is_infrastructure_tool() THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN eventName = 'DisableAWSServiceAccess' THEN 'AWS service lost its access to the organization'
            ELSE 'AWS service got access to the whole organization' END AS title
FROM cloudtrail
WHERE eventSource = 'organizations.amazonaws.com'
  AND eventName IN ('EnableAWSServiceAccess', 'DisableAWSServiceAccess')
  AND errorCode IS NULL
