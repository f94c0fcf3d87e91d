-- title           = "Code of many Lambda functions was changed by a person or an instance"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.persistence", "attack.execution", "attack.t1554", "attack.t1648"]
-- remedy          = "Compare the code with what the pipeline built; put the last good versions back and revoke the sessions of the principal if nobody released by hand."
-- false_positives = "A release by hand of a service with many functions; build servers on an instance."
SELECT userIdentity.arn AS who,
       count(DISTINCT requestParameters ->> 'functionName') AS functions,
       sample(requestParameters ->> 'functionName') AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses
FROM cloudtrail
WHERE eventSource = 'lambda.amazonaws.com'
  AND eventName IN ('UpdateFunctionCode20150331v2', 'UpdateFunctionCode20150331', 'UpdateFunctionConfiguration20150331v2')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT requestParameters ->> 'functionName') >= 10
