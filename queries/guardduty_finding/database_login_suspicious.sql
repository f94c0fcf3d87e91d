-- title           = "GuardDuty saw a suspicious sign-in to a database"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.credential_access", "attack.t1110.001"]
-- remedy          = "Ask the owner of the database user; change its password, close the database to the internet, and read its audit log."
-- false_positives = "A new application or office."
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
       resource.rdsDbUserDetails.user AS db_user,
       resource.rdsDbUserDetails.authMethod AS auth_method,
       service.action.rdsLoginAttemptAction.loginAttributes AS attempts,
       arn AS guardduty_finding
FROM guardduty_finding
WHERE regexp_like(type, '^(CredentialAccess|Discovery|InitialAccess):RDS/')
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
