-- title           = "Name servers or contacts of a domain were changed, or a domain was bought"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.resource_development", "attack.t1584.001", "attack.t1583.001", "attack.t1565"]
-- remedy          = "Look up who answers for the domain now; put the name servers back, and ask who made the change."
-- false_positives = "Moves of DNS that were announced."
SELECT eventTime,
       eventName,
       requestParameters ->> 'nameservers' AS name_servers,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'domainName' AS resource,
       CASE WHEN eventName = 'DeleteDomain' THEN 'Registration of a domain was deleted'
            WHEN eventName = 'DisableDomainAutoRenew' THEN 'Domain is no longer renewed by itself'
            WHEN eventName = 'DisassociateDelegationSignerFromDomain' THEN 'Domain lost DNSSEC'
            WHEN eventName = 'RegisterDomain' THEN 'Domain was bought'
            ELSE 'Name servers or contacts of a domain were changed' END AS title
FROM cloudtrail
WHERE eventSource = 'route53domains.amazonaws.com'
  AND eventName IN ('UpdateDomainNameservers', 'UpdateDomainContact', 'DisassociateDelegationSignerFromDomain', 'DeleteDomain', 'RegisterDomain', 'DisableDomainAutoRenew')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
