-- title           = "Foundation model was invoked that the account had not used for a month"
-- severity        = "low"
-- tags            = ["attack.impact", "attack.t1496.004"]
-- remedy          = "Ask who uses it. Stolen keys are sold for the models they reach: if nobody does, deactivate the credential and deny the model."
-- false_positives = "A new version of a model."
SELECT account,
       requestParameters ->> 'modelId' AS resource,
       sample(coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn)) AS principals,
       sample(sourceIPAddress) AS addresses,
       count(*) AS times
FROM cloudtrail
WHERE eventSource = 'bedrock.amazonaws.com'
  AND eventName IN ('InvokeModel', 'InvokeModelWithResponseStream', 'InvokeModelWithBidirectionalStream', 'StartAsyncInvoke', 'Converse', 'ConverseStream')
  AND errorCode IS NULL
  AND requestParameters ->> 'modelId' IS NOT NULL
GROUP BY account, requestParameters ->> 'modelId', tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(requestParameters ->> 'modelId', INTERVAL '30 days')
