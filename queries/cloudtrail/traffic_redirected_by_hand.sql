-- title    = "Visitors or a stream of data were sent to another place by hand"
-- severity = "medium"
-- tags     = ["attack.impact", "attack.t1491.002", "attack.t1565", "attack.exfiltration", "attack.t1020"]
-- remedy   = "Compare with what is in your repository, put it back, and see who was sent where meanwhile."
SELECT eventTime,
       eventName,
       requestParameters AS change,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'listenerArn', requestParameters ->> 'ruleArn', requestParameters ->> 'deliveryStreamName', requestParameters ->> 'alias', requestParameters ->> 'targetDistributionId') AS resource,
       -- data_sent_to_web_address tells it
       CASE WHEN requestParameters LIKE '%ttpEndpoint%' THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource IN ('elasticloadbalancing.amazonaws.com', 'firehose.amazonaws.com', 'cloudfront.amazonaws.com')
  AND eventName IN ('ModifyListener', 'CreateRule', 'ModifyRule', 'UpdateDestination', 'AssociateAlias', 'AssociateAlias2020_05_31')
  AND (eventSource <> 'elasticloadbalancing.amazonaws.com'
       OR regexp_like(requestParameters, '"host"\s*:\s*"[^#"]'))
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
