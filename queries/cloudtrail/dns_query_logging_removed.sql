-- title    = "DNS query logging was removed"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1562.008"]
-- remedy   = "Put the query logging configuration back and associate it with every VPC; DNS is often the only trace of exfiltration."
SELECT eventTime,
       eventName,
       errorCode,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'id', requestParameters ->> 'resourceId', requestParameters ->> 'resolverQueryLogConfigId') AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'DNS query logging was removed'
            ELSE 'Somebody tried to remove DNS query logging' END AS title
FROM cloudtrail
WHERE eventSource IN ('route53.amazonaws.com', 'route53resolver.amazonaws.com')
  AND eventName IN ('DeleteQueryLoggingConfig', 'DeleteResolverQueryLogConfig', 'DisassociateResolverQueryLogConfig')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
