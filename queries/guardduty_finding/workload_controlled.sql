-- title           = "GuardDuty saw a workload talk to an attacker's infrastructure"
-- severity        = "high"
-- confidence      = "medium"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.command_and_control", "attack.t1071", "attack.t1568.002"]
-- remedy          = "Isolate the workload (a security group that allows nothing), keep its volumes for analysis, and revoke the sessions of its role."
-- false_positives = "Research of threats, DNS servers that ask for others, and Tor where it is used on purpose."
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
WHERE regexp_like(type, '^((Backdoor|Trojan):|UnauthorizedAccess:(EC2|ECS|Lambda|Runtime)/|Impact:[A-Za-z0-9]+/[A-Za-z]+DomainRequest)')
  AND NOT regexp_like(type, '/(DenialOfService|Spambot|SSHBruteForce|RDPBruteForce|MetadataDNSRebind|DNSDataExfiltration|BitcoinDomainRequest)')
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
