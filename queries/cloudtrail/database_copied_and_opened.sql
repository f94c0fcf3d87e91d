-- title           = "Copy of a database was restored and given a new password or a public address"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1578.002", "attack.collection", "attack.t1213"]
-- remedy          = "Ask the person what the copy is for. If nobody can say: delete it with a final snapshot kept as evidence, and treat what the database holds as known to others."
-- false_positives = "A test database made from production by hand; a restore after an accident."
-- description     = "One person or instance restored a database from a snapshot or to a point in time, and within two hours set the master password of the copy, or opened it: whoever does so can read all of it without the password of the original."
SELECT userIdentity.arn AS who,
       sample(coalesce(requestParameters ->> 'dBSnapshotIdentifier', requestParameters ->> 'snapshotIdentifier', requestParameters ->> 'sourceDBInstanceIdentifier', requestParameters ->> 'sourceDBClusterIdentifier')) AS copied,
       sample(eventName) AS calls,
       count(*) FILTER (WHERE json_contains(requestParameters, 'masterUserPassword')) AS passwords_set,
       coalesce(requestParameters ->> 'targetDBInstanceIdentifier', requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier') AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(*) FILTER (WHERE requestParameters ->> 'publiclyAccessible' = 'true') > 0 THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'rds.amazonaws.com'
  AND eventName IN ('RestoreDBInstanceFromDBSnapshot', 'RestoreDBInstanceToPointInTime', 'RestoreDBClusterFromSnapshot', 'RestoreDBClusterToPointInTime',
                    'ModifyDBInstance', 'ModifyDBCluster')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (eventName LIKE 'Restore%' OR json_contains(requestParameters, 'masterUserPassword') OR requestParameters ->> 'publiclyAccessible' = 'true')
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, coalesce(requestParameters ->> 'targetDBInstanceIdentifier', requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier'), hop(eventTime, INTERVAL '30 minutes', INTERVAL '2 hours')
HAVING min(eventTime) FILTER (WHERE eventName LIKE 'Restore%') < max(eventTime) FILTER (WHERE eventName LIKE 'Modify%')
