-- title           = "Logging of a state machine was narrowed or sent elsewhere"
-- severity        = "low"
-- confidence      = "low"
-- tags            = ["attack.defense_evasion", "attack.t1562.008"]
-- remedy          = "See that the log group is the one your alarms read, and set level ALL or ERROR with execution data; look at the executions in between."
-- false_positives = "Data that must not be logged, and a move to another log group."
SELECT requestParameters ->> 'stateMachineArn' AS resource,
       requestParameters -> 'loggingConfiguration' ->> 'level' AS level,
       requestParameters -> 'loggingConfiguration' ->> 'includeExecutionData' AS execution_data,
       json_texts(requestParameters, 'loggingConfiguration', 'destinations', 'cloudWatchLogsLogGroup', 'logGroupArn') AS log_groups,
       userAgent
FROM cloudtrail
WHERE eventSource = 'states.amazonaws.com'
  AND eventName = 'UpdateStateMachine'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND is_by_hand()
  AND requestParameters -> 'loggingConfiguration' ->> 'level' <> 'OFF'
  AND (requestParameters -> 'loggingConfiguration' ->> 'level' = 'FATAL'
       OR json_get_bool(requestParameters, 'loggingConfiguration', 'includeExecutionData') IS NOT TRUE
       OR NOT regexp_like(requestParameters, 'log-group:/aws/vendedlogs/states/'))
