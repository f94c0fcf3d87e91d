-- title           = "Person read DynamoDB tables from end to end"
-- severity        = "medium"
-- tags            = ["attack.collection", "attack.exfiltration", "attack.t1530", "attack.t1119"]
-- remedy          = "Ask what for; treat what the tables hold as known to others if nobody can say."
-- description     = "Eight tables within half an hour, or one or more of them page by page: two hundred Scans."
-- false_positives = "Exports by a developer; a program with the key of a user that reads whole tables (give it a role)."
SELECT userIdentity.arn AS who,
       count(DISTINCT requestParameters ->> 'tableName') AS tables,
       count(*) AS scans,
       sample(requestParameters ->> 'tableName') AS some_of_them,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(requestParameters ->> 'tableName') AS resource
FROM cloudtrail
WHERE eventSource = 'dynamodb.amazonaws.com'
  AND eventName IN ('Scan', 'ExecuteStatement')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND sessionCredentialFromConsole IS NOT TRUE
  AND is_by_hand()
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT requestParameters ->> 'tableName') >= 8
    OR count(*) FILTER (WHERE eventName = 'Scan') >= 200
