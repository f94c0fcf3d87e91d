-- title           = "IAM user assumed a role that it had not assumed for a month"
-- severity        = "low"
-- tags            = ["attack.privilege_escalation", "attack.lateral_movement", "attack.t1548.005", "attack.t1550.001"]
-- remedy          = "Ask the user. If it was not them: deactivate their access keys, revoke the role's sessions, and look at what the session did."
-- false_positives = "A person with a new task."
SELECT userIdentity.arn AS who,
       requestParameters ->> 'roleArn' AS resource,
       count(*) AS times
FROM cloudtrail
WHERE eventSource = 'sts.amazonaws.com'
  AND eventName = 'AssumeRole'
  AND errorCode IS NULL
  AND userIdentity.type = 'IAMUser'
GROUP BY userIdentity.arn, requestParameters ->> 'roleArn', tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(requestParameters ->> 'roleArn', INTERVAL '30 days')
