-- title           = "Athena wrote the results of a query to a bucket that it had not written to for a month"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.exfiltration", "attack.t1537", "attack.collection", "attack.t1530", "attack.t1074.002"]
-- remedy          = "Find out whose bucket it is: the results are a copy of the data. If nobody knows it, revoke the sessions of the principal, and see what it queried."
-- false_positives = "A new team, or a new bucket for results."
SELECT split_part(replace(json_get_str(requestParameters, 'resultConfiguration', 'outputLocation'), 's3://', ''), '/', 1) AS resource,
       sample(coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn)) AS principals,
       count(*) AS queries
FROM cloudtrail
WHERE eventSource = 'athena.amazonaws.com'
  AND eventName = 'StartQueryExecution'
  AND json_get_str(requestParameters, 'resultConfiguration', 'outputLocation') IS NOT NULL
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY account, split_part(replace(json_get_str(requestParameters, 'resultConfiguration', 'outputLocation'), 's3://', ''), '/', 1), tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(split_part(replace(json_get_str(requestParameters, 'resultConfiguration', 'outputLocation'), 's3://', ''), '/', 1), INTERVAL '30 days')
