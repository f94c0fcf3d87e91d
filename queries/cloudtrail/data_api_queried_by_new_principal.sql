-- title           = "Data API of a database or warehouse was queried by a principal that had not used it for a month"
-- severity        = "low"
-- tags            = ["attack.collection", "attack.t1213", "attack.t1530"]
-- remedy          = "Ask the principal what it looked for; the statements are in the history of the data API for a day (ListStatements)."
-- false_positives = "A new colleague or program."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       count(*) AS statements,
       sample(coalesce(requestParameters ->> 'clusterIdentifier', requestParameters ->> 'workgroupName', requestParameters ->> 'resourceArn')) AS resource
FROM cloudtrail
WHERE eventSource IN ('redshift-data.amazonaws.com', 'rds-data.amazonaws.com')
  AND eventName IN ('ExecuteStatement', 'BatchExecuteStatement')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), INTERVAL '30 days')
