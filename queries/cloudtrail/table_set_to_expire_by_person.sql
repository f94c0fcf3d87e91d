-- title    = "Person set the items of a table to expire"
-- severity = "medium"
-- tags     = ["attack.impact", "attack.t1485"]
-- remedy   = "Ask the owner which attribute holds when an item may go. If it is one that is in the past already, all items are deleted within days: switch it off (UpdateTimeToLive) and restore the table to a point in time. Of a table of S3 Tables, compare the days with the age of its records."
SELECT eventTime,
       eventName,
       requestParameters -> 'timeToLiveSpecification' ->> 'attributeName' AS attribute,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'tableName', requestParameters ->> 'tableArn') AS resource
FROM cloudtrail
WHERE eventSource IN ('dynamodb.amazonaws.com', 's3tables.amazonaws.com')
  AND eventName IN ('UpdateTimeToLive', 'PutTableRecordExpirationConfiguration')
  AND (requestParameters -> 'timeToLiveSpecification' ->> 'enabled' = 'true'
       OR requestParameters -> 'value' ->> 'status' = 'enabled')
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
