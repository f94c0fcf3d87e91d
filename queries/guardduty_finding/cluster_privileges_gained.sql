-- title           = "GuardDuty saw a Kubernetes cluster opened, or its workloads given more rights"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.execution", "attack.privilege_escalation", "attack.persistence", "attack.t1609", "attack.t1610", "attack.t1611"]
-- remedy          = "Ask who deployed it; delete the workload or binding, and enforce the restricted pod security standard."
-- false_positives = "Agents of monitoring and storage, which need the rights."
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
       service.action.kubernetesApiCallAction.verb AS verb,
       service.action.kubernetesApiCallAction.requestUri AS uri,
       resource.kubernetesDetails.kubernetesUserDetails.username AS user,
       resource.kubernetesDetails.kubernetesWorkloadDetails.name AS workload,
       arn AS guardduty_finding
FROM guardduty_finding
WHERE regexp_like(type, '^(Execution|Persistence|PrivilegeEscalation|Policy):Kubernetes/')
  AND NOT regexp_like(type, '/(Malicious|Suspicious)File(!|$)')
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
