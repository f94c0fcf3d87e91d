-- title           = "Network firewall, DNS firewall or Shield protection was removed or its logging stopped"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventSource"]
-- tags            = ["attack.defense_evasion", "attack.t1562.007", "attack.t1562.004", "attack.t1562.001"]
-- remedy          = "Put it back if the change was not announced, and look at the flows since."
-- false_positives = "Firewalls that move."
SELECT eventTime,
       eventName,
       eventSource,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'firewallName', requestParameters ->> 'firewallPolicyName', requestParameters ->> 'firewallRuleGroupAssociationId', requestParameters ->> 'protectionId', requestParameters ->> 'ruleGroupName', requestParameters ->> 'firewallDomainListId', requestParameters ->> 'firewallRuleGroupId', requestParameters ->> 'firewallArn', requestParameters ->> 'resourceId', account) AS resource,
       CASE WHEN eventSource = 'shield.amazonaws.com' THEN 'Shield protection was removed or cut back'
            WHEN eventName = 'UpdateResolverDnssecConfig' THEN 'Names are no longer checked by DNSSEC in a network'
            WHEN eventName = 'UpdateFirewallRuleGroupAssociation' THEN 'DNS firewall of a network lost its protection against changes'
            WHEN eventSource = 'route53resolver.amazonaws.com' THEN 'DNS firewall was taken off a network, or made to let more through'
            WHEN eventName = 'UpdateLoggingConfiguration' THEN 'Logging of a network firewall was stopped'
            WHEN eventName = 'UpdateFirewallDeleteProtection' THEN 'Network firewall lost its protection against deletion'
            WHEN eventName IN ('UpdateFirewallPolicyChangeProtection', 'UpdateSubnetChangeProtection') THEN 'Network firewall lost its protection against changes'
            ELSE 'Network firewall was removed, or made to let more through' END AS title
FROM cloudtrail
WHERE eventSource IN ('network-firewall.amazonaws.com', 'route53resolver.amazonaws.com', 'shield.amazonaws.com')
  AND eventName IN ('DeleteFirewall', 'DeleteFirewallPolicy', 'DisassociateSubnets', 'UpdateFirewallDeleteProtection', 'UpdateLoggingConfiguration', 'DisassociateFirewallRuleGroup', 'DeleteFirewallRule',
                      'DeleteProtection', 'DeleteSubscription', 'DisassociateDRTRole', 'DisableProactiveEngagement', 'DisableApplicationLayerAutomaticResponse',
                      'UpdateRuleGroup', 'UpdateFirewallDomains', 'UpdateFirewallRule',
                      'UpdateFirewallPolicyChangeProtection', 'UpdateSubnetChangeProtection', 'UpdateFirewallRuleGroupAssociation', 'UpdateResolverDnssecConfig')
  AND (eventName NOT IN ('UpdateFirewallDeleteProtection', 'UpdateLoggingConfiguration')
       OR requestParameters ->> 'deleteProtection' = 'false'
       OR json_length(requestParameters, 'loggingConfiguration', 'logDestinationConfigs') = 0)
  -- what a deployment takes off for the time of a change, it puts back
  AND (eventName NOT IN ('UpdateFirewallPolicyChangeProtection', 'UpdateSubnetChangeProtection', 'UpdateFirewallRuleGroupAssociation', 'UpdateResolverDnssecConfig')
       OR NOT is_infrastructure_tool()
          AND (requestParameters ->> 'firewallPolicyChangeProtection' = 'false'
               OR requestParameters ->> 'subnetChangeProtection' = 'false'
               OR requestParameters ->> 'mutationProtection' = 'DISABLED'
               OR requestParameters ->> 'validation' = 'DISABLE'))
  -- rules are changed every day, by deployments; by hand, those that let everything pass
  AND (eventName NOT IN ('UpdateRuleGroup', 'UpdateFirewallDomains', 'UpdateFirewallRule')
       OR is_by_hand()
          AND NOT is_infrastructure_tool()
          AND (requestParameters ->> 'operation' = 'REMOVE'
               OR requestParameters ->> 'action' = 'ALLOW'
               OR regexp_like(requestParameters, '(?i)(^|["n])pass\s+(ip|tcp)\s+any\s+any\s+->\s+any\s+any|"actions"\s*:\s*\[\s*"aws:pass"')))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
