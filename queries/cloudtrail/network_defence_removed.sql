-- title           = "Network firewall, DNS firewall or Shield protection was removed or its logging stopped"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.007", "attack.t1562.004", "attack.t1562.001"]
-- remedy          = "Put it back if the change was not announced, and look at the flows since."
-- false_positives = "Firewalls that move."
SELECT eventTime,
       eventName,
       eventSource,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'firewallName', requestParameters ->> 'firewallPolicyName', requestParameters ->> 'firewallRuleGroupAssociationId', requestParameters ->> 'protectionId', account) AS resource
FROM cloudtrail
WHERE eventSource IN ('network-firewall.amazonaws.com', 'route53resolver.amazonaws.com', 'shield.amazonaws.com')
  AND eventName IN ('DeleteFirewall', 'DeleteFirewallPolicy', 'DisassociateSubnets', 'UpdateFirewallDeleteProtection', 'UpdateLoggingConfiguration', 'DisassociateFirewallRuleGroup', 'DeleteFirewallRule',
                      'DeleteProtection', 'DeleteSubscription', 'DisassociateDRTRole', 'DisableProactiveEngagement', 'DisableApplicationLayerAutomaticResponse')
  AND (eventName NOT IN ('UpdateFirewallDeleteProtection', 'UpdateLoggingConfiguration')
       OR requestParameters ->> 'deleteProtection' = 'false'
       OR json_length(requestParameters, 'loggingConfiguration', 'logDestinationConfigs') = 0)
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
