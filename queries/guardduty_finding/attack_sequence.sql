-- title           = "GuardDuty joined several signals into an attack"
-- severity        = "critical"
-- confidence      = "high"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.initial_access", "attack.impact", "attack.t1078.004"]
-- remedy          = "Treat it as an incident now: contain the principals, instances or clusters named in the sequence, then read its signals in order."
-- false_positives = "A penetration test."
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
       texts(json_texts(service.detection, 'sequence', 'resources', 'uid'),
             json_texts(service.detection, 'Sequence', 'Resources', 'Uid'),
             json_texts(service.detection, 'sequence', 'actors', 'user', 'credentialUid'),
             json_texts(service.detection, 'Sequence', 'Actors', 'User', 'CredentialUid')) AS resource,
       service.detection AS sequence,
       arn AS guardduty_finding
FROM guardduty_finding
WHERE type LIKE 'AttackSequence:%'
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
