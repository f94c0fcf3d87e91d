-- title           = "One principal entered several instances or containers within minutes"
-- severity        = "medium"
-- tags            = ["attack.lateral_movement", "attack.execution", "attack.t1021.004", "attack.t1021.008", "attack.t1651"]
-- remedy          = "Compare with the on-call list; read the logs of the sessions, and isolate the hosts if nobody claims them."
-- false_positives = "Operators who open a window for each host; configuration management over Session Manager (low)."
SELECT userIdentity.arn AS who,
       count(DISTINCT coalesce(requestParameters ->> 'instanceId', requestParameters ->> 'target', requestParameters ->> 'task')) AS hosts,
       sample(eventName) AS calls,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(coalesce(requestParameters ->> 'instanceId', requestParameters ->> 'target', requestParameters ->> 'task')) AS resource,
       -- each session of a long-lived key is told as medium
       CASE WHEN count(*) FILTER (WHERE userIdentity.accessKeyId LIKE 'AKIA%') = count(*) THEN 'low'
            WHEN count(*) FILTER (WHERE is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL) > 0 THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource IN ('ec2-instance-connect.amazonaws.com', 'ssm.amazonaws.com', 'ecs.amazonaws.com')
  AND eventName IN ('SendSSHPublicKey', 'OpenTunnel', 'StartSession', 'ExecuteCommand')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '1 minutes', INTERVAL '5 minutes')
HAVING count(DISTINCT coalesce(requestParameters ->> 'instanceId', requestParameters ->> 'target', requestParameters ->> 'task')) >= 3
