-- title           = "Many EC2 instances were terminated by one principal"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1578.003", "attack.impact", "attack.t1485", "attack.t1489"]
-- remedy          = "Ask the principal. If it was not meant: revoke its sessions at once, turn termination protection on for what is left, and keep the snapshots and volumes that remain: they are the evidence."
-- false_positives = "A project that is torn down; load tests; head nodes of computing clusters (medium)."
-- description     = "Fifteen by a person or twenty by an instance in a quarter of an hour, or two hundred by any role; instances count once for each call that names them. What Auto Scaling and other services do on their own is left out."
SELECT userIdentity.arn AS who,
       sum(CAST(array_length(json_get_array(requestParameters, 'instancesSet', 'items')) AS BIGINT)) AS instances,
       count(*) AS calls,
       sample(awsRegion) AS regions,
       sample(json_get_str(requestParameters, 'instancesSet', 'items', 0, 'instanceId')) AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN sum(CAST(array_length(json_get_array(requestParameters, 'instancesSet', 'items')) AS BIGINT))
                  FILTER (WHERE is_person()) >= 60 THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'TerminateInstances'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING sum(CAST(array_length(json_get_array(requestParameters, 'instancesSet', 'items')) AS BIGINT)) >= 200
    OR sum(CAST(array_length(json_get_array(requestParameters, 'instancesSet', 'items')) AS BIGINT))
          FILTER (WHERE userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL) >= 20
    OR sum(CAST(array_length(json_get_array(requestParameters, 'instancesSet', 'items')) AS BIGINT))
          FILTER (WHERE is_by_hand()) >= 15
