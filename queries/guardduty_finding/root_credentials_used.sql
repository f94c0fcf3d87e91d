-- title           = "GuardDuty saw the root user's credentials used"
-- severity        = "low"
-- confidence      = "high"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.privilege_escalation", "attack.t1078.004"]
-- remedy          = "Confirm with the owner of the account; use roles for daily work, and delete root's access keys."
-- false_positives = "The few tasks that only root can do."
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
WHERE type LIKE 'Policy:IAMUser/%RootCredentialUsage'
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
