-- title    = "WAF web ACL was deleted or taken off what it protects"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1562.007"]
-- remedy   = "Associate the web ACL with the resource again; read the access logs of the time without it."
SELECT eventTime,
       eventName,
       errorCode,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'resourceArn', requestParameters ->> 'name', requestParameters ->> 'webACLId', requestParameters ->> 'ruleId', requestParameters ->> 'id') AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN CASE WHEN eventName IN ('DeleteIPSet', 'DeleteRule') THEN 'Rule or set of addresses of WAF was deleted by hand' ELSE 'WAF web ACL was deleted or taken off what it protects' END
            ELSE 'Somebody tried to delete a WAF web ACL or take it off' END AS title
FROM cloudtrail
WHERE eventSource IN ('wafv2.amazonaws.com', 'waf.amazonaws.com', 'waf-regional.amazonaws.com', 'cloudfront.amazonaws.com')
  AND eventName IN ('DeleteWebACL', 'DisassociateWebACL', 'DeleteLoggingConfiguration', 'DeleteRuleGroup', 'DeleteIPSet', 'DeleteRule', 'DisassociateDistributionWebACL', 'DisassociateDistributionWebACL2020_05_31')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  -- sets of addresses and rules come and go with deployments
  AND (eventName NOT IN ('DeleteIPSet', 'DeleteRule')
       OR is_by_hand()
          AND NOT is_infrastructure_tool())
