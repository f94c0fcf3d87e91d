-- title           = "GuardDuty saw credentials used from a suspicious place or in an unusual way"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.initial_access", "attack.t1078.004"]
-- remedy          = "Ask the owner whether the calls are theirs; if not, disable the access key or revoke the role's sessions, and read what else they did."
-- false_positives = "Travel, a new VPN, or an announced penetration test."
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
WHERE regexp_like(type, '^(UnauthorizedAccess|InitialAccess|PenTest):IAMUser/')
  AND type NOT LIKE '%CredentialExfiltration%'
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
