-- title           = "Many Glue tables or databases were deleted by a person"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485"]
-- remedy          = "Restore the catalog from code or from Athena's history of CREATE TABLE; the data in S3 is another matter: check it as well. Revoke the sessions of the principal if it cannot explain."
-- false_positives = "Clean-up of a test catalog."
SELECT userIdentity.arn AS who,
       count(*) AS calls,
       max(json_length(requestParameters, 'tablesToDelete')) AS most_at_once,
       sample(coalesce(requestParameters ->> 'databaseName', requestParameters ->> 'name')) AS databases,
       sample(requestParameters ->> 'name') AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(DISTINCT requestParameters ->> 'name') FILTER (WHERE eventName = 'DeleteDatabase') >= 3 THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName IN ('DeleteTable', 'BatchDeleteTable', 'DeleteDatabase')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(*) FILTER (WHERE eventName = 'DeleteTable') >= 30
    OR count(DISTINCT requestParameters ->> 'name') FILTER (WHERE eventName = 'DeleteDatabase') >= 3
    OR max(json_length(requestParameters, 'tablesToDelete')) >= 30
