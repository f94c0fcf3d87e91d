-- title           = "GuardDuty saw a bucket used from a suspicious place or in an unusual way"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.discovery", "attack.collection", "attack.t1619", "attack.t1530"]
-- remedy          = "Ask who owns the credentials; close the bucket to the address, and look in data events for objects that were read or written."
-- false_positives = "Tools that scan buckets of your own."
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
       resource.s3BucketDetails[1].publicAccess.effectivePermission AS bucket_is,
       arn AS guardduty_finding
FROM guardduty_finding
WHERE regexp_like(type, '^(Discovery|UnauthorizedAccess|PenTest):S3/')
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
