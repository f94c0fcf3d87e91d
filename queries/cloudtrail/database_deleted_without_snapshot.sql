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
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN days >= 3 AND NOT is_person() OR made = databases THEN 'low'
            WHEN userIdentity.invokedBy = 'backup.amazonaws.com' THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT CASE WHEN requestParameters ->> 'skipFinalSnapshot' = 'true' THEN date_trunc('day', eventTime) END) OVER week AS days,
             -- by what AWS calls them for good: a name can be had again, and in another Region
             count(DISTINCT coalesce(responseElements ->> 'dbiResourceId', responseElements ->> 'dbClusterResourceId', awsRegion || ' ' || coalesce(requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier', requestParameters ->> 'relationalDatabaseName'))) OVER week AS databases,
             count(DISTINCT CASE WHEN eventName NOT LIKE 'Delete%' THEN coalesce(responseElements ->> 'dbiResourceId', responseElements ->> 'dbClusterResourceId', awsRegion || ' ' || coalesce(requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier', requestParameters ->> 'relationalDatabaseName')) END) OVER week AS made,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || (CASE WHEN requestParameters ->> 'skipFinalSnapshot' = 'true' THEN coalesce(responseElements ->> 'dBInstanceArn', responseElements ->> 'dBClusterArn', requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier', requestParameters ->> 'relationalDatabaseName') END)) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource IN ('rds.amazonaws.com', 'lightsail.amazonaws.com')
        AND eventName IN ('DeleteDBInstance', 'DeleteDBCluster', 'DeleteRelationalDatabase', 'CreateDBInstance', 'CreateDBCluster', 'RestoreDBInstanceFromDBSnapshot', 'RestoreDBClusterFromSnapshot')
        AND errorCode IS NULL
      WINDOW week AS (PARTITION BY account, CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN userIdentity.arn ELSE coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) END, is_person(), is_by_hand_or_script()
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE requestParameters ->> 'skipFinalSnapshot' = 'true'
  -- an instance of a cluster, or a replica, can have no final snapshot: its data are elsewhere
  AND (eventName = 'DeleteDBCluster'
       OR responseElements ->> 'dBClusterIdentifier' IS NULL
          AND responseElements ->> 'readReplicaSourceDBInstanceIdentifier' IS NULL)
