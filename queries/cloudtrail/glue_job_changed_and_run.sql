-- title           = "Glue job was changed and run at once by a person or an instance"
-- severity        = "low"
-- confidence      = "medium"
-- tags            = ["attack.execution", "attack.privilege_escalation", "attack.persistence", "attack.t1648", "attack.t1554"]
-- remedy          = "Compare script and role with the last reviewed ones, and read the log of the run: it worked with the rights of the job's role."
-- false_positives = "Developers at work on their job (low); people who repair a job at night."
SELECT userIdentity.arn AS who,
       requestParameters ->> 'jobName' AS resource,
       min(eventTime) FILTER (WHERE eventName = 'UpdateJob') AS changed,
       max(eventTime) FILTER (WHERE eventName = 'StartJobRun') AS started,
       sample(requestParameters -> 'jobUpdate' ->> 'role') AS roles,
       sample(requestParameters -> 'jobUpdate' -> 'command' ->> 'scriptLocation') AS scripts,
       count(*) FILTER (WHERE eventName = 'StartJobRun') AS runs,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(*) FILTER (WHERE userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL) > 0 THEN 'high'
            WHEN count(*) FILTER (WHERE userIdentity.type IN ('IAMUser', 'Root')) > 0 THEN 'medium'
            ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName IN ('UpdateJob', 'StartJobRun')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, requestParameters ->> 'jobName', hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING min(eventTime) FILTER (WHERE json_contains(requestParameters, 'jobUpdate', 'role') OR json_contains(requestParameters, 'jobUpdate', 'command'))
     < max(eventTime) FILTER (WHERE eventName = 'StartJobRun')
