-- title           = "GuardDuty saw a process of an intruder"
-- severity        = "high"
-- confidence      = "medium"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.execution", "attack.privilege_escalation", "attack.defense_evasion", "attack.t1059", "attack.t1611", "attack.t1055"]
-- remedy          = "Isolate the workload before it ends, keep memory and volumes, and revoke the sessions of its role."
-- false_positives = "Debuggers, packers and administrators at work."
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
       service.runtimeDetails ->> 'process' AS process,
       resource.containerDetails.image AS image,
       resource.instanceDetails.iamInstanceProfile.arn AS instance_profile,
       arn AS guardduty_finding
FROM guardduty_finding
WHERE regexp_like(type, '^(Execution|PrivilegeEscalation|DefenseEvasion|Persistence|Discovery):Runtime/')
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
