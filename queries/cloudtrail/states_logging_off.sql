-- title           = "Logging of a state machine was turned off"
-- severity        = "medium"
-- confidence      = "high"
-- tags            = ["attack.defense_evasion", "attack.t1562.008"]
-- remedy          = "Turn logging on again at level ALL or ERROR; look at the executions in between."
-- false_positives = "A machine whose logging was never on, updated from the console."
SELECT requestParameters ->> 'stateMachineArn' AS resource, userAgent
FROM cloudtrail
WHERE eventSource = 'states.amazonaws.com'
  AND eventName = 'UpdateStateMachine'
  AND errorCode IS NULL
  AND requestParameters -> 'loggingConfiguration' ->> 'level' = 'OFF'
