-- title           = "Glue job was created, run and deleted within an hour"
-- severity        = "medium"
-- tags            = ["attack.execution", "attack.privilege_escalation", "attack.defense_evasion", "attack.t1648", "attack.t1070"]
-- remedy          = "Fetch the script from its bucket and the log of the run, which outlive the job, and see what the role of the job may do."
-- false_positives = "Tests that make a job for themselves; put their role in the suppress list."
SELECT userIdentity.arn AS who,
       coalesce(requestParameters ->> 'jobName', requestParameters ->> 'name') AS resource,
       sample(requestParameters ->> 'role') AS roles,
       sample(requestParameters -> 'command' ->> 'scriptLocation') AS scripts,
       count(*) FILTER (WHERE eventName = 'StartJobRun') AS runs,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(*) FILTER (WHERE is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL) > 0 THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName IN ('CreateJob', 'StartJobRun', 'DeleteJob')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, coalesce(requestParameters ->> 'jobName', requestParameters ->> 'name'), hop(eventTime, INTERVAL '20 minutes', INTERVAL '1 hour')
HAVING count(*) FILTER (WHERE eventName = 'StartJobRun') >= 1
   AND min(eventTime) FILTER (WHERE eventName = 'CreateJob') < max(eventTime) FILTER (WHERE eventName = 'DeleteJob')
