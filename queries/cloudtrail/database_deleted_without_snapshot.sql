-- title           = "Database was deleted without a final snapshot"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485"]
-- remedy          = "Look for retained automated backups (DescribeDBInstanceAutomatedBackups) and restore from them; protect their deletion."
-- false_positives = "Test databases; databases that AWS Backup restored as a test, and what a program deletes on a third day of a week (low)."
SELECT eventTime,
       eventName,
       requestParameters ->> 'deleteAutomatedBackups' AS backups_deleted,
       sourceIPAddress,
       userAgent,
       resource,
       CASE WHEN days >= 3 AND NOT is_person() THEN 'low'
            WHEN userIdentity.invokedBy = 'backup.amazonaws.com' THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             sample(coalesce(responseElements ->> 'dBInstanceArn', responseElements ->> 'dBClusterArn', requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier')) OVER week AS resource
      FROM cloudtrail
      WHERE eventSource = 'rds.amazonaws.com'
        AND eventName IN ('DeleteDBInstance', 'DeleteDBCluster')
        AND requestParameters ->> 'skipFinalSnapshot' = 'true'
        -- an instance of a cluster, or a replica, can have no final snapshot: its data are elsewhere
        AND (eventName = 'DeleteDBCluster'
             OR responseElements ->> 'dBClusterIdentifier' IS NULL
                AND responseElements ->> 'readReplicaSourceDBInstanceIdentifier' IS NULL)
      WINDOW week AS (PARTITION BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn)
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL
