-- title           = "Person deleted state machines or stopped many executions within half an hour"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1489"]
-- remedy          = "Ask the person; deploy the machines again from code, redrive the executions, and revoke the sessions if the answer does not convince."
-- false_positives = "Clean-up of a test account, or a runaway backfill that was stopped."
SELECT userIdentity.arn AS who,
       count(*) FILTER (WHERE eventName = 'DeleteStateMachine') AS deleted,
       count(*) FILTER (WHERE eventName = 'StopExecution') AS stopped,
       sample(coalesce(requestParameters ->> 'stateMachineArn', requestParameters ->> 'executionArn')) AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses
FROM cloudtrail
WHERE eventSource = 'states.amazonaws.com'
  AND eventName IN ('DeleteStateMachine', 'StopExecution')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT requestParameters ->> 'stateMachineArn') >= 3 -- StopExecution names an execution alone
    OR count(*) FILTER (WHERE eventName = 'StopExecution') >= 30
