-- title           = "Person started an experiment that injects faults"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1489", "attack.t1485", "attack.t1499"]
-- remedy          = "Ask the owner; stop the experiment (StopExperiment), and see what its template stops, deletes or cuts off."
-- false_positives = "Game days."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'experimentTemplateId' AS resource
FROM cloudtrail
WHERE eventSource = 'fis.amazonaws.com'
  AND eventName = 'StartExperiment'
  AND NOT is_infrastructure_tool()
  AND (is_by_hand()
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
