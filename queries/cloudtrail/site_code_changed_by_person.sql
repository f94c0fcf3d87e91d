-- title           = "Person changed the code that runs at the edge of a web site"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.collection", "attack.t1491.002", "attack.t1565", "attack.t1185"]
-- remedy          = "Compare the function with the reviewed one: it sees and may change each request. Publish that one again if they differ."
-- false_positives = "Developers at work."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'name' AS resource
FROM cloudtrail
WHERE eventSource = 'cloudfront.amazonaws.com'
  AND eventName IN ('PublishFunction', 'UpdateFunction', 'PublishFunction2020_05_31', 'UpdateFunction2020_05_31')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
