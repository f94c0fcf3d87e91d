-- title    = "Security service was told to leave new accounts of the organization out"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1562.001"]
-- remedy   = "Switch it on again for new accounts, and for those that joined meanwhile."
SELECT eventTime,
       eventSource,
       requestParameters AS settings,
       sourceIPAddress,
       userAgent,
       eventSource AS resource
FROM cloudtrail
WHERE eventSource IN ('securityhub.amazonaws.com', 'inspector2.amazonaws.com', 'macie2.amazonaws.com', 'detective.amazonaws.com')
  AND eventName = 'UpdateOrganizationConfiguration'
  AND (regexp_like(requestParameters ->> 'autoEnable', '^false$|"(ec2|ecr|lambda)"\s*:\s*false')
       OR requestParameters ->> 'AutoEnable' = 'false')
  AND NOT (is_infrastructure_tool() AND NOT is_person())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
