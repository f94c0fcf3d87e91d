-- title           = "GuardDuty saw credentials of a workload taken or used elsewhere"
-- severity        = "high"
-- confidence      = "high"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.credential_access", "attack.initial_access", "attack.t1552.005", "attack.t1078.004"]
-- remedy          = "Revoke the role's sessions (a deny on aws:TokenIssueTime), isolate the instance, and read in CloudTrail what the sessions did."
-- false_positives = "Traffic of the instance that leaves through a network of your own outside of AWS."
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
WHERE (type LIKE '%CredentialExfiltration%' OR type LIKE '%/MetadataDNSRebind')
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
