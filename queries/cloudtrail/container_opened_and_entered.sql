-- title           = "Principal let commands be run in the containers of a service, and ran one"
-- severity        = "medium"
-- tags            = ["attack.execution", "attack.lateral_movement", "attack.t1609", "attack.t1651"]
-- remedy          = "Ask whoever it was; the command has the role of the task. Turn execution off again (UpdateService), and rotate what the task may read if nobody can say."
-- false_positives = "Developers who look into a service."
SELECT userIdentity.arn AS who,
       sample(requestParameters ->> 'service') AS services,
       sample(requestParameters ->> 'task') AS tasks,
       sample(sourceIPAddress) AS addresses,
       sample(requestParameters ->> 'cluster') AS resource
FROM cloudtrail
WHERE eventSource = 'ecs.amazonaws.com'
  AND (eventName = 'UpdateService' -- equivalent: HAVING asks for the name, too
           AND requestParameters ->> 'enableExecuteCommand' = 'true'
       OR eventName = 'ExecuteCommand')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '30 minutes', INTERVAL '1 hour')
HAVING in_order(eventTime, eventName = 'UpdateService', eventName = 'ExecuteCommand')
