-- title           = "Schedule or budget was made to change IAM or logging by itself"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1053", "attack.t1098.001"]
-- remedy          = "Read the schedule's target and input; delete it if nobody claims it, and undo what it did."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'target', requestParameters ->> 'Target', requestParameters ->> 'definition') AS target,
       requestParameters ->> 'scheduleExpression' AS schedule,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'name', requestParameters ->> 'budgetName') AS resource
FROM cloudtrail
WHERE eventSource IN ('scheduler.amazonaws.com', 'budgets.amazonaws.com')
  AND eventName IN ('CreateSchedule', 'UpdateSchedule', 'CreateBudgetAction', 'UpdateBudgetAction')
  AND (regexp_like(requestParameters, ':aws-sdk:(iam|organizations|cloudtrail|guardduty|kms|secretsmanager|sso|config):')
       -- who spends too much is denied, not given rights
       OR regexp_like(requestParameters -> 'definition' ->> 'iamActionDefinition', '(?i)"policyArn"\s*:\s*"[^"]*(admin|power|full)'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
