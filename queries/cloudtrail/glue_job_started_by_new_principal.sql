-- title           = "Glue job was started by a principal that had not started it for a month"
-- severity        = "low"
-- tags            = ["attack.execution", "attack.t1648"]
-- remedy          = "Ask the principal why. Look at the job's script and arguments: a job runs with the rights of its role, whoever starts it."
-- false_positives = "A person who runs a job again by hand; a new scheduler."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       'arn:aws:glue:' || awsRegion || ':' || account || ':job/' || (requestParameters ->> 'jobName') AS resource,
       count(*) AS times
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName = 'StartJobRun'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY account, awsRegion, requestParameters ->> 'jobName', coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), INTERVAL '30 days')
