-- title           = "Person started many executions of state machines within ten minutes"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.execution", "attack.t1496.004", "attack.t1648"]
-- remedy          = "Ask the person; stop the executions (StopExecution), and see in their inputs and in the machine's role what they could do."
-- false_positives = "Backfills and load tests by hand."
SELECT userIdentity.arn AS who,
       count(*) AS executions,
       sample(requestParameters ->> 'stateMachineArn') AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses
FROM cloudtrail
WHERE eventSource = 'states.amazonaws.com'
  AND eventName IN ('StartExecution', 'RedriveExecution')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, tumble(eventTime, INTERVAL '10 minutes')
HAVING count(*) >= 50
