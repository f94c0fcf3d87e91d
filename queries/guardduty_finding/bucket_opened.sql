-- title           = "GuardDuty saw a bucket or its protection against public access opened"
-- severity        = "high"
-- confidence      = "high"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.exfiltration", "attack.defense_evasion", "attack.t1537", "attack.t1562.001"]
-- remedy          = "Close the bucket, turn Block Public Access on again, and look in data events for strangers who read meanwhile."
-- false_positives = "Buckets of public websites."
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
WHERE (type LIKE 'Policy:S3/%' OR type = 'Policy:IAMUser/S3BlockPublicAccessDisabled')
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
