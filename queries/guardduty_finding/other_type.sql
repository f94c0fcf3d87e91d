-- title           = "GuardDuty found something of a type that no other rule names"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["guardduty.other"]
-- remedy          = "Read the finding's description and AWS's page about its type; a newer Weir may have a rule that says more."
-- false_positives = "Depends on the type."
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
       resource.resourceType AS resource_type,
       arn AS guardduty_finding
FROM guardduty_finding
WHERE NOT regexp_like(type, '^(AttackSequence|Backdoor|CryptoCurrency|Exfiltration|Stealth|Trojan):')
  AND NOT regexp_like(type, '^(CredentialAccess|DefenseEvasion|Discovery|Impact|InitialAccess|PenTest|Persistence|PrivilegeEscalation|Recon|ResourceConsumption|UnauthorizedAccess):IAMUser/')
  AND NOT regexp_like(type, '^Policy:IAMUser/(S3BlockPublicAccessDisabled$|.*RootCredentialUsage$)')
  AND NOT regexp_like(type, '^(DefenseEvasion|Discovery|Impact|PenTest|Policy|UnauthorizedAccess):S3/')
  AND NOT regexp_like(type, '^(Behavior|DefenseEvasion|Impact|Recon|UnauthorizedAccess):EC2/')
  AND NOT regexp_like(type, '^UnauthorizedAccess:(ECS|Lambda|Runtime)/')
  AND NOT regexp_like(type, '^(DefenseEvasion|Discovery|Execution|Persistence|PrivilegeEscalation):Runtime/')
  AND NOT regexp_like(type, '^(CredentialAccess|DefenseEvasion|Discovery|Execution|Impact|InitialAccess|Persistence|Policy|PrivilegeEscalation):Kubernetes/')
  AND NOT regexp_like(type, '^(CredentialAccess|Discovery|InitialAccess):RDS/')
  AND NOT regexp_like(type, '/((Malicious|Suspicious)File(!|$)|[A-Za-z]+DomainRequest|CryptoMinerExecuted$|MetadataDNSRebind$)')
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
