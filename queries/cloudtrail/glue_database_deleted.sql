-- title           = "Glue database was deleted"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.impact", "attack.t1485"]
-- remedy          = "Restore the definitions from CloudFormation, a backup or the crawlers; deleting a database takes its tables with it."
-- false_positives = "Tests that make and drop databases."
SELECT coalesce(requestParameters ->> 'name', requestParameters ->> 'databaseName') AS resource, userAgent
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName = 'DeleteDatabase'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
