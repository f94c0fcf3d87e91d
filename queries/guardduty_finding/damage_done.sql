-- title           = "GuardDuty saw data or services harmed"
-- severity        = "high"
-- confidence      = "medium"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.impact", "attack.t1485", "attack.t1496.001"]
-- remedy          = "Stop the principal, restore what was deleted or changed from versions or backups, and look for a note of ransom."
-- false_positives = "A planned clean-up or a new job that starts many instances."
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
WHERE regexp_like(type, '^(Impact:(IAMUser|S3)|ResourceConsumption:IAMUser)/')
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
