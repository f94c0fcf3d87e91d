-- title           = "Schedule was made to change IAM or logging by itself"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1053", "attack.t1098.001"]
-- remedy          = "Read the schedule's target and input; delete it if nobody claims it, and undo what it did."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'target', requestParameters ->> 'Target') AS target,
       requestParameters ->> 'scheduleExpression' AS schedule,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'name' AS resource
FROM cloudtrail
WHERE eventSource = 'scheduler.amazonaws.com'
  AND eventName IN ('CreateSchedule', 'UpdateSchedule')
  AND regexp_like(requestParameters, ':aws-sdk:(iam|organizations|cloudtrail|guardduty|kms|secretsmanager|sso|config):')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
