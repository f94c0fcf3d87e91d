-- title           = "Person started many Glue job runs within half an hour"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.execution", "attack.t1496.001", "attack.t1648"]
-- remedy          = "Ask the person; stop the runs (BatchStopJobRun), read the scripts and arguments, and set MaxConcurrentRuns and a usage profile."
-- false_positives = "Backfills by hand."
SELECT userIdentity.arn AS who,
       count(*) AS runs,
       sample(requestParameters ->> 'jobName') AS resource,
       max(json_get_int(requestParameters, 'numberOfWorkers')) AS most_workers,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName = 'StartJobRun'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(*) >= 20
