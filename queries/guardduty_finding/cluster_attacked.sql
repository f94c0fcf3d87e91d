-- title           = "GuardDuty saw a Kubernetes cluster used by a stranger"
-- severity        = "high"
-- confidence      = "medium"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.credential_access", "attack.discovery", "attack.impact", "attack.t1552.007", "attack.t1613"]
-- remedy          = "Take the rights of the user or service account away, rotate the secrets that were read, and close the cluster's endpoint to the internet."
-- false_positives = "Health checks without a user, and tools of your own on addresses of a threat list."
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
WHERE regexp_like(type, '^(CredentialAccess|DefenseEvasion|Discovery|Impact|InitialAccess):Kubernetes/')
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
