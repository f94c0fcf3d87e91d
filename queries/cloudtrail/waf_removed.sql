-- title           = "WAF web ACL was deleted or taken off what it protects"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.007"]
-- remedy          = "Associate the web ACL with the resource again; read the access logs of the time without it."
-- false_positives = "Controllers that associate web ACLs with the load balancers of a cluster, or tenants, and take them off again: low from the third day of a week on."
SELECT eventTime,
       eventName,
       errorCode,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN errorCode IS NOT NULL OR days >= 3 AND NOT is_person() THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL THEN CASE WHEN eventName IN ('DeleteIPSet', 'DeleteRule') THEN 'Rule or set of addresses of WAF was deleted by hand'
                                              WHEN eventName = 'DeleteLoggingConfiguration' THEN 'Log of a WAF web ACL was turned off'
                                              WHEN eventName IN ('DeleteRuleGroup', 'DeleteFirewallManagerRuleGroups') THEN 'Rules of a WAF web ACL were deleted'
                                              ELSE 'WAF web ACL was deleted or taken off what it protects' END
            WHEN eventName IN ('DeleteIPSet', 'DeleteRule', 'DeleteRuleGroup', 'DeleteFirewallManagerRuleGroups') THEN 'Somebody tried to delete rules or addresses of WAF'
            WHEN eventName = 'DeleteLoggingConfiguration' THEN 'Somebody tried to turn off the log of a WAF web ACL'
            ELSE 'Somebody tried to delete a WAF web ACL or take it off' END AS title
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || coalesce(requestParameters ->> 'resourceArn', requestParameters ->> 'name', requestParameters ->> 'webACLId', requestParameters ->> 'webACLArn', requestParameters ->> 'ruleId', requestParameters ->> 'id')) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource IN ('wafv2.amazonaws.com', 'waf.amazonaws.com', 'waf-regional.amazonaws.com', 'cloudfront.amazonaws.com')
        AND eventName IN ('DeleteWebACL', 'DisassociateWebACL', 'DeleteLoggingConfiguration', 'DeleteRuleGroup', 'DeleteIPSet', 'DeleteRule', 'DisassociateDistributionWebACL', 'DisassociateDistributionWebACL2020_05_31', 'DisassociateDistributionTenantWebACL', 'DisassociateDistributionTenantWebACL2020_05_31', 'DeleteFirewallManagerRuleGroups')
        -- sets of addresses and rules come and go with deployments
        AND (eventName NOT IN ('DeleteIPSet', 'DeleteRule')
             OR is_by_hand()
                AND NOT is_infrastructure_tool())
      WINDOW week AS (PARTITION BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), is_person(), is_by_hand_or_script(), eventName, errorCode IS NULL
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%'
