-- title           = "Many EC2 instances were stopped by one principal"
-- severity        = "low"
-- tags            = ["attack.impact", "attack.t1489"]
-- remedy          = "Ask the principal. If it was not meant: revoke its sessions and start the instances again; look at their volumes and user data first, which can only be changed while an instance is stopped."
-- false_positives = "People who stop a test environment for the night; give the schedule a role of its own."
-- description     = "Twenty by a person or an instance in a quarter of an hour; instances count once for each call that names them. With force, with a key of a user, or sixty, it is medium."
SELECT userIdentity.arn AS who,
       sum(CAST(array_length(json_get_array(requestParameters, 'instancesSet', 'items')) AS BIGINT)) AS instances,
       count(*) AS calls,
       count(*) FILTER (WHERE requestParameters ->> 'force' = 'true') AS forced,
       sample(awsRegion) AS regions,
       sample(json_get_str(requestParameters, 'instancesSet', 'items', 0, 'instanceId')) AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN sum(CAST(array_length(json_get_array(requestParameters, 'instancesSet', 'items')) AS BIGINT)) >= 60
                 OR count(*) FILTER (WHERE requestParameters ->> 'force' = 'true'
                                        OR (userIdentity.accessKeyId LIKE 'AKIA%' OR userIdentity.type = 'FederatedUser') AND NOT is_infrastructure_tool()
                                        OR is_by_hand() AND NOT is_person() AND userIdentity.sessionContext.ec2RoleDelivery IS NULL) > 0 THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'StopInstances'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING sum(CAST(array_length(json_get_array(requestParameters, 'instancesSet', 'items')) AS BIGINT)) >= 20
