-- title           = "Events, notifications or a stream were sent by hand to an address on the web"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventSource"]
-- tags            = ["attack.exfiltration", "attack.collection", "attack.t1567", "attack.t1537", "attack.t1020"]
-- remedy          = "Find out whose address it is, and what was sent there since; delete it if nobody claims it."
-- false_positives = "Chat and on-call services."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'invocationEndpoint', requestParameters ->> 'endpoint', requestParameters ->> 'httpEndpointDestinationUpdate', requestParameters ->> 'httpEndpointDestinationConfiguration', requestParameters ->> 'topicRulePayload') AS address,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'deliveryStreamName', requestParameters ->> 'topicArn', requestParameters ->> 'name', requestParameters ->> 'ruleName', requestParameters ->> 'apiDestinationArn') AS resource,
       CASE WHEN eventSource = 'events.amazonaws.com' THEN 'Events were sent to an address on the web'
            WHEN eventSource = 'firehose.amazonaws.com' THEN 'Stream of data was sent to an address on the web'
            WHEN eventSource = 'sns.amazonaws.com' THEN 'Address on the web was subscribed to a topic by hand'
            ELSE 'Messages of devices were sent by hand to an address on the web' END AS title
FROM cloudtrail
WHERE eventSource IN ('events.amazonaws.com', 'firehose.amazonaws.com', 'sns.amazonaws.com', 'iot.amazonaws.com')
  AND eventName IN ('CreateApiDestination', 'UpdateApiDestination', 'CreateDeliveryStream', 'UpdateDestination', 'Subscribe', 'CreateTopicRule', 'ReplaceTopicRule')
  AND (json_contains(requestParameters, 'invocationEndpoint')
       OR requestParameters LIKE '%ttpEndpoint%'
       OR regexp_like(requestParameters ->> 'topicRulePayload', '"http"\s*:\s*[{]')
       OR requestParameters ->> 'protocol' IN ('http', 'https'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND (eventSource NOT IN ('sns.amazonaws.com', 'iot.amazonaws.com')
       OR is_by_hand())
