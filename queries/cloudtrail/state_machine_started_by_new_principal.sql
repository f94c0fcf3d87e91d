-- title           = "State machine was started by a principal that had not started it for a month"
-- severity        = "low"
-- tags            = ["attack.execution", "attack.t1648"]
-- remedy          = "Ask the principal why, and look at the input that it gave: an execution has the rights of the state machine's role."
-- false_positives = "A person who starts an execution again by hand; a new trigger."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       coalesce(requestParameters ->> 'stateMachineArn', regexp_replace(requestParameters ->> 'executionArn', ':execution:([^:]+):.*$', ':stateMachine:\1')) AS resource,
       count(*) AS times
FROM cloudtrail
WHERE eventSource = 'states.amazonaws.com'
  AND eventName IN ('StartExecution', 'StartSyncExecution', 'RedriveExecution')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY coalesce(requestParameters ->> 'stateMachineArn', regexp_replace(requestParameters ->> 'executionArn', ':execution:([^:]+):.*$', ':stateMachine:\1')), coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), INTERVAL '30 days')
