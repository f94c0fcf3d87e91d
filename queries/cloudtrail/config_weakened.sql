-- title           = "AWS Config lost rules, or its recorder was narrowed"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.001", "attack.t1562.008"]
-- remedy          = "Put the rules and the recording group back if the change was not announced."
-- false_positives = "Rules that are replaced by others; deployments (low)."
SELECT eventTime,
       eventName,
       requestParameters ->> 'configurationRecorder' AS recorder,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'configRuleName', requestParameters ->> 'conformancePackName', requestParameters ->> 'organizationConfigRuleName', requestParameters ->> 'organizationConformancePackName', requestParameters ->> 'configurationAggregatorName', account) AS resource,
       CASE WHEN is_person() OR NOT is_infrastructure_tool() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'config.amazonaws.com'
  AND eventName IN ('DeleteConfigRule', 'DeleteConformancePack', 'DeleteOrganizationConfigRule', 'DeleteOrganizationConformancePack', 'DeleteRemediationConfiguration', 'DeleteConfigurationAggregator', 'PutConfigurationRecorder',
                    'DisassociateResourceTypes', 'DeleteServiceLinkedConfigurationRecorder')
  AND (eventName <> 'PutConfigurationRecorder'
       OR requestParameters -> 'configurationRecorder' -> 'recordingGroup' ->> 'allSupported' = 'false')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
