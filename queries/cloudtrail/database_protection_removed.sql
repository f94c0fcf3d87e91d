-- title           = "Database lost its deletion protection or automated backups"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1490"]
-- remedy          = "Turn deletion protection and backup retention on again; look for DeleteDBInstance by the same principal."
-- false_positives = "A database that is to be removed."
SELECT eventTime,
       eventName,
       requestParameters ->> 'deletionProtection' AS deletion_protection,
       requestParameters ->> 'backupRetentionPeriod' AS backup_days,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements ->> 'dBInstanceArn', responseElements ->> 'dBClusterArn', requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier') AS resource
FROM cloudtrail
WHERE eventSource = 'rds.amazonaws.com'
  AND eventName IN ('ModifyDBInstance', 'ModifyDBCluster')
  AND errorCode IS NULL
  AND (requestParameters ->> 'deletionProtection' = 'false' OR requestParameters ->> 'backupRetentionPeriod' = '0')
