-- title           = "GuardDuty saw a principal gain or keep access in an unusual way"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1098.001", "attack.t1098.003"]
-- remedy          = "Ask the owner; undo the keys, users, roles or policies that the calls made, and revoke the sessions."
-- false_positives = "An administrator who does such work for the first time."
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
       service.action.awsApiCallAction.api AS call,
       service.action.awsApiCallAction.remoteIpDetails.country.countryName AS country,
       resource.accessKeyDetails.accessKeyId AS access_key,
       arn AS guardduty_finding
FROM guardduty_finding
WHERE regexp_like(type, '^(Persistence|PrivilegeEscalation):IAMUser/')
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
