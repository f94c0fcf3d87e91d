-- title           = "One principal tried many Bedrock models or Regions and was refused"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.impact", "attack.t1526", "attack.t1496", "attack.t1496.004"]
-- remedy          = "Disable the key or revoke the sessions if nobody knows the caller: stolen keys are checked like this before they are sold. Look for calls that were not refused."
-- false_positives = "A developer who looks for a model that the account has access to."
SELECT userIdentity.arn AS who,
       count(*) AS calls,
       count(DISTINCT requestParameters ->> 'modelId') AS models,
       count(DISTINCT awsRegion) AS regions,
       sample(requestParameters ->> 'modelId') AS resource,
       sample(awsRegion) AS some_regions,
       sample(errorCode) AS errors,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(DISTINCT awsRegion) >= 4 OR count(*) FILTER (WHERE userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL) > 0 THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource IN ('bedrock.amazonaws.com', 'bedrock-runtime.amazonaws.com')
  AND eventName IN ('InvokeModel', 'InvokeModelWithResponseStream', 'Converse', 'ConverseStream')
  AND errorCode IN ('AccessDenied', 'AccessDeniedException', 'ValidationException', 'ResourceNotFoundException')
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT awsRegion) >= 4
    OR count(DISTINCT requestParameters ->> 'modelId') >= 6
    OR count(DISTINCT awsRegion) >= 3
       AND count(DISTINCT requestParameters ->> 'modelId') >= 3
