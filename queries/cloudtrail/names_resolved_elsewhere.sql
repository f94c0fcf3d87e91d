-- title           = "DNS questions of networks were sent elsewhere by hand"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.collection", "attack.t1557", "attack.defense_evasion"]
-- remedy          = "Check whose the target addresses are; who answers for a name gets what is sent to it. Take the rule off the networks (DisassociateResolverRule) if nobody can say."
-- false_positives = "Network engineers who connect a data center by hand."
SELECT eventTime,
       eventName,
       requestParameters ->> 'domainName' AS domain,
       coalesce(requestParameters ->> 'targetIps', requestParameters ->> 'dhcpConfigurationSet') AS targets,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'resolverRuleId', requestParameters ->> 'domainName', json_get_str(responseElements, 'dhcpOptions', 'dhcpOptionsId'), requestParameters ->> 'name', account) AS resource,
       CASE WHEN eventName = 'CreateHostedZone' THEN 'Private zone was made by hand that answers for names of AWS'
            WHEN eventName = 'AssociateResolverRule' THEN 'Network was made by hand to ask a rule for its names'
            ELSE 'Rule was made by hand that sends DNS questions of networks elsewhere' END AS title
FROM cloudtrail
WHERE eventSource IN ('route53resolver.amazonaws.com', 'ec2.amazonaws.com', 'route53.amazonaws.com')
  AND eventName IN ('CreateResolverRule', 'UpdateResolverRule', 'AssociateResolverRule', 'CreateDhcpOptions', 'CreateHostedZone')
  -- within the networks that it is for, it is believed in place of AWS
  AND (eventName <> 'CreateHostedZone'
       OR json_contains(requestParameters, 'vPC')
          AND regexp_like(requestParameters ->> 'name', '(?i)(^|[.])(amazonaws[.]com(\.cn)?|api[.]aws|on[.]aws|awsapps[.]com)[.]?$'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND (array_any_match(json_texts(requestParameters, 'targetIps', 'ip'), i -> NOT ip_is_private(i))
       OR eventName <> 'CreateDhcpOptions'
          AND is_by_hand_or_script()
       -- the options of a network name the servers that its hosts ask
       OR array_any_match(json_get_array(requestParameters, 'dhcpConfigurationSet', 'items'),
                          o -> o ->> 'key' = 'domain-name-servers'
                               AND array_any_match(json_texts(o, 'valueSet', 'items', 'value'), v -> regexp_like(v, '^[0-9]') AND NOT ip_is_private(v))))
