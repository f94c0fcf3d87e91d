-- title           = "GuardDuty saw logging or other defences weakened"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.defense_evasion", "attack.t1562.008", "attack.t1562.001"]
-- remedy          = "Turn on again what was switched off, find out what happened meanwhile, and ask the principal why."
-- false_positives = "Planned changes of logging, and resolvers of your own."
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
WHERE regexp_like(type, '^(Stealth:|DefenseEvasion:(IAMUser|S3|EC2)/)')
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
