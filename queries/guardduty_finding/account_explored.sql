-- title           = "GuardDuty saw an account being explored"
-- severity        = "low"
-- confidence      = "medium"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.discovery", "attack.t1580", "attack.t1087.004"]
-- remedy          = "Ask the owner what they were looking for; read what followed in the same session. If the owner knows nothing of it: disable the key or revoke the sessions."
-- false_positives = "Inventory and security tools that were just set up."
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
WHERE regexp_like(type, '^(Recon|Discovery):IAMUser/')
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
