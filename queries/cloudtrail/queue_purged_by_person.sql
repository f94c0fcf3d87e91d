-- title           = "Person deleted all messages of a queue"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485"]
-- remedy          = "Ask the owner whether the messages were needed: they cannot be had back. If the queue carries alarms or log notices, look what they would have told."
-- false_positives = "Developers who empty a queue of dead letters."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'queueUrl' AS resource
FROM cloudtrail
WHERE eventSource = 'sqs.amazonaws.com'
  AND eventName = 'PurgeQueue'
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
