-- title           = "Security Hub was told to leave controls or findings out"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.001"]
-- remedy          = "Read the rule or the list of controls; take it back if nobody claims it, and look at the findings that it hid."
-- false_positives = "Controls that do not apply, which somebody decided on."
SELECT eventTime,
       eventName,
       requestParameters AS change,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'standardsControlArn', requestParameters ->> 'ruleName', account) AS resource
FROM cloudtrail
WHERE eventSource = 'securityhub.amazonaws.com'
  AND eventName IN ('UpdateStandardsControl', 'BatchUpdateStandardsControlAssociations', 'CreateAutomationRule', 'BatchUpdateAutomationRules', 'DisableImportFindingsForProduct', 'DeleteFindingAggregator', 'CreateAutomationRuleV2', 'DeleteAggregatorV2', 'DeleteConfigurationPolicy', 'StartConfigurationPolicyDisassociation', 'UpdateSecurityHubConfiguration', 'UpdateConfigurationPolicy', 'CreateConfigurationPolicy')
  AND (eventName IN ('DisableImportFindingsForProduct', 'DeleteFindingAggregator', 'DeleteAggregatorV2', 'DeleteConfigurationPolicy', 'StartConfigurationPolicyDisassociation')
       OR regexp_like(requestParameters, '"(DISABLED|SUPPRESSED)"|"[Ss]tatusId"\s*:\s*3[,}]|"(autoEnableControls|AutoEnableControls|serviceEnabled|ServiceEnabled)"\s*:\s*false'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND (eventName IN ('DisableImportFindingsForProduct', 'DeleteFindingAggregator', 'CreateAutomationRule', 'CreateAutomationRuleV2', 'DeleteAggregatorV2', 'UpdateSecurityHubConfiguration')
       OR is_by_hand_or_script())
