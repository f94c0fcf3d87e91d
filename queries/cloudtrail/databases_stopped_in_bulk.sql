-- title           = "Several databases were stopped by one principal"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1489"]
-- remedy          = "Ask the principal. If it was not meant: revoke its sessions, start the databases again, and check that their snapshots and deletion protection are still there."
-- false_positives = "People who stop a test environment for the night; give the schedule a role of its own."
SELECT userIdentity.arn AS who,
       count(DISTINCT coalesce(requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier', requestParameters ->> 'clusterIdentifier')) AS databases,
       sample(eventName) AS calls,
       sample(awsRegion) AS regions,
       sample(coalesce(requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier', requestParameters ->> 'clusterIdentifier')) AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses
FROM cloudtrail
WHERE eventSource IN ('rds.amazonaws.com', 'redshift.amazonaws.com')
  AND eventName IN ('StopDBInstance', 'StopDBCluster', 'PauseCluster')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT coalesce(requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier', requestParameters ->> 'clusterIdentifier')) >= 5
