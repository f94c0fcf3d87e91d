-- title           = "Rule was made by hand that sends DNS questions of networks elsewhere"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.collection", "attack.t1557", "attack.defense_evasion"]
-- remedy          = "Check whose the target addresses are; who answers for a name gets what is sent to it. Take the rule off the networks (DisassociateResolverRule) if nobody can say."
-- false_positives = "Network engineers who connect a data center by hand."
SELECT eventTime,
       eventName,
       requestParameters ->> 'domainName' AS domain,
       requestParameters ->> 'targetIps' AS targets,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'resolverRuleId', requestParameters ->> 'domainName') AS resource
FROM cloudtrail
WHERE eventSource = 'route53resolver.amazonaws.com'
  AND eventName IN ('CreateResolverRule', 'UpdateResolverRule')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND (array_any_match(json_texts(requestParameters, 'targetIps', 'ip'), i -> NOT ip_is_private(i))
       OR is_person())
