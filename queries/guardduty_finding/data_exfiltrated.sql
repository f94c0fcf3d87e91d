-- title           = "GuardDuty saw data leave"
-- severity        = "high"
-- confidence      = "medium"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.exfiltration", "attack.collection", "attack.t1530", "attack.t1048"]
-- remedy          = "Stop the principal or instance, list from data events or flow logs what left, and tell whoever answers for that data."
-- false_positives = "A new backup or migration."
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
       resource.s3BucketDetails[1].name AS bucket,
       arn AS guardduty_finding
FROM guardduty_finding
WHERE (type LIKE 'Exfiltration:%' OR type LIKE 'Trojan:%/DNSDataExfiltration%')
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
