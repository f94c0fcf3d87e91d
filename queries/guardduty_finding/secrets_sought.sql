-- title           = "GuardDuty saw a principal collect passwords or keys in an unusual way"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.credential_access", "attack.t1555.006"]
-- remedy          = "List in CloudTrail which secrets and parameters were read, rotate them, and revoke the sessions."
-- false_positives = "A new version of an application that reads other secrets than before."
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
WHERE type LIKE 'CredentialAccess:IAMUser/%'
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
