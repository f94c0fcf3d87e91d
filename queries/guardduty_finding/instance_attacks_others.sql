-- title           = "GuardDuty saw an instance attack or scan others"
-- severity        = "high"
-- confidence      = "medium"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.impact", "attack.lateral_movement", "attack.discovery", "attack.credential_access", "attack.t1498", "attack.t1046", "attack.t1110"]
-- remedy          = "Isolate the instance, keep its volumes for analysis, and see in flow logs what it reached."
-- false_positives = "Load tests and scanners of your own."
SELECT title,
       CASE
           WHEN severity >= 9 THEN 'critical'
           WHEN severity >= 7 THEN 'high'
           WHEN severity >= 4 THEN 'medium'
           WHEN severity >= 1 THEN 'low'
           WHEN severity >= 0 THEN 'informational'
       END AS severity,
       type,
       description,
       service.count AS times_seen,
       service.eventFirstSeen AS seen_first,
       service.eventLastSeen AS seen_last,
       coalesce(service.action.dnsRequestAction.domain, service.action.networkConnectionAction.remoteIpDetails.ipAddressV4) AS other_side,
       service.action.networkConnectionAction.remotePortDetails.port AS other_port,
       resource.instanceDetails.iamInstanceProfile.arn AS instance_profile,
       arn AS guardduty_finding
FROM guardduty_finding
WHERE (regexp_like(type, '^(Backdoor:EC2/(DenialOfService|Spambot)|Impact:EC2/|Recon:EC2/|Behavior:EC2/)')
       OR regexp_like(type, '^UnauthorizedAccess:EC2/(SSH|RDP)BruteForce') AND service.resourceRole = 'ACTOR')
  AND NOT regexp_like(type, '/(PortProbe|[A-Za-z]+DomainRequest)')
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
