-- title           = "Database was deleted without a final snapshot"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485"]
-- remedy          = "Look for retained automated backups (DescribeDBInstanceAutomatedBackups) and restore from them; protect their deletion."
-- false_positives = "Test databases: low where whoever deletes them made or restored all of them within the week; databases that AWS Backup restored as a test, and what a program deletes on a third day of a week (low)."
SELECT eventTime,
       eventName,
       requestParameters ->> 'deleteAutomatedBackups' AS backups_deleted,
       sourceIPAddress,
       userAgent,
       resource,
       CASE WHEN days >= 3 AND NOT is_person() OR made = databases THEN 'low'
            WHEN userIdentity.invokedBy = 'backup.amazonaws.com' THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT CASE WHEN requestParameters ->> 'skipFinalSnapshot' = 'true' THEN date_trunc('day', eventTime) END) OVER week AS days,
             count(DISTINCT coalesce(requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier')) OVER week AS databases,
             count(DISTINCT CASE WHEN eventName NOT LIKE 'Delete%' THEN coalesce(requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier') END) OVER week AS made,
             sample(CASE WHEN requestParameters ->> 'skipFinalSnapshot' = 'true' THEN coalesce(responseElements ->> 'dBInstanceArn', responseElements ->> 'dBClusterArn', requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier') END) OVER week AS resource
      FROM cloudtrail
      WHERE eventSource = 'rds.amazonaws.com'
        AND eventName IN ('DeleteDBInstance', 'DeleteDBCluster', 'CreateDBInstance', 'CreateDBCluster', 'RestoreDBInstanceFromDBSnapshot', 'RestoreDBClusterFromSnapshot')
        AND errorCode IS NULL
      WINDOW week AS (PARTITION BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn)
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE requestParameters ->> 'skipFinalSnapshot' = 'true'
  -- an instance of a cluster, or a replica, can have no final snapshot: its data are elsewhere
  AND (eventName = 'DeleteDBCluster'
       OR responseElements ->> 'dBClusterIdentifier' IS NULL
          AND responseElements ->> 'readReplicaSourceDBInstanceIdentifier' IS NULL)
