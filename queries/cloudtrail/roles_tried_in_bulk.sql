-- title           = "One principal was refused many roles"
-- severity        = "medium"
-- tags            = ["attack.privilege_escalation", "attack.lateral_movement", "attack.t1078.004", "attack.t1550.001"]
-- remedy          = "Ask the principal for its list of roles. If nobody made one: disable the key or revoke the sessions, and look for the AssumeRole calls that were not refused."
-- false_positives = "A scanner that runs before its role is rolled out to all accounts."
SELECT userIdentity.arn AS who,
       count(*) AS calls,
       count(DISTINCT requestParameters ->> 'roleArn') AS roles,
       sample(requestParameters ->> 'roleArn') AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(DISTINCT requestParameters ->> 'roleArn') >= 40 THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'sts.amazonaws.com'
  AND eventName = 'AssumeRole'
  AND errorCode IN ('AccessDenied', 'AccessDeniedException')
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT requestParameters ->> 'roleArn') >= 8
