-- title           = "Person rolled a stack set out to accounts"
-- severity        = "medium"
-- tags            = ["attack.execution", "attack.persistence", "attack.lateral_movement", "attack.t1648", "attack.t1072"]
-- remedy          = "Read its template: it is made in each account with wide rights. Delete the instances if nobody claims them."
-- false_positives = "Platform engineers at work."
SELECT eventTime,
       eventName,
       requestParameters ->> 'deploymentTargets' AS targets,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'stackSetName' AS resource
FROM cloudtrail
WHERE eventSource = 'cloudformation.amazonaws.com'
  AND eventName IN ('CreateStackInstances', 'UpdateStackInstances', 'UpdateStackSet')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
