-- title           = "Bedrock models were invoked very often with a key of a user or by a person"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1496.004", "attack.t1496"]
-- remedy          = "Ask the owner of the key; disable it if nobody can say, and look at what the models were asked (invocation logs)."
-- false_positives = "Applications that work with a user's key: give them a role."
SELECT userIdentity.arn AS who,
       count(*) AS invocations,
       count(DISTINCT requestParameters ->> 'modelId') AS models,
       sample(requestParameters ->> 'modelId') AS some_models,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(requestParameters ->> 'modelId') AS resource
FROM cloudtrail
WHERE eventSource = 'bedrock.amazonaws.com'
  AND eventName IN ('InvokeModel', 'InvokeModelWithResponseStream', 'InvokeModelWithBidirectionalStream', 'StartAsyncInvoke', 'Converse', 'ConverseStream')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND is_by_hand()
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(*) >= 50
