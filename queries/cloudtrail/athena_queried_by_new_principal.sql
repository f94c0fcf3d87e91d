-- title           = "Athena was queried by a principal that had not used it for a month"
-- severity        = "low"
-- tags            = ["attack.collection", "attack.t1530"]
-- remedy          = "Look at the queries it ran and where their results went. If nobody knows why: revoke its sessions."
-- false_positives = "A new analyst or report."
SELECT account,
       coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       sample(requestParameters ->> 'workGroup') AS work_groups,
       sample(sourceIPAddress) AS addresses,
       count(*) AS times
FROM cloudtrail
WHERE eventSource = 'athena.amazonaws.com'
  AND eventName = 'StartQueryExecution'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), INTERVAL '30 days')
