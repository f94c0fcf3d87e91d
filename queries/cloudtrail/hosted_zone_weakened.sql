-- title           = "DNS zone was deleted, lost DNSSEC or was opened to a VPC of another account"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventName"]
-- tags            = ["attack.impact", "attack.defense_evasion", "attack.t1562", "attack.t1489"]
-- remedy          = "Compare the zone with its definition in code; put DNSSEC and records back, and check the delegation at the registrar."
-- false_positives = "Stacks that are taken down."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'id', requestParameters ->> 'hostedZoneId') AS resource,
       CASE WHEN eventName = 'DeleteHostedZone' THEN 'DNS zone was deleted'
            WHEN eventName IN ('DisableHostedZoneDNSSEC', 'DeactivateKeySigningKey') THEN 'DNS zone lost DNSSEC'
            ELSE 'DNS zone was opened to a VPC of another account' END AS title
FROM cloudtrail
WHERE eventSource = 'route53.amazonaws.com'
  AND eventName IN ('DeleteHostedZone', 'DisableHostedZoneDNSSEC', 'CreateVPCAssociationAuthorization', 'DeactivateKeySigningKey')
  AND errorCode IS NULL
