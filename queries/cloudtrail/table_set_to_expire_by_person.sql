-- title    = "Person set the items of a DynamoDB table to expire"
-- severity = "medium"
-- tags     = ["attack.impact", "attack.t1485"]
-- remedy   = "Ask the owner which attribute holds when an item may go. If it is one that is in the past already, all items are deleted within days: switch it off (UpdateTimeToLive) and restore the table to a point in time."
SELECT eventTime,
       eventName,
       requestParameters -> 'timeToLiveSpecification' ->> 'attributeName' AS attribute,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'tableName' AS resource
FROM cloudtrail
WHERE eventSource = 'dynamodb.amazonaws.com'
  AND eventName = 'UpdateTimeToLive'
  AND requestParameters -> 'timeToLiveSpecification' ->> 'enabled' = 'true'
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
