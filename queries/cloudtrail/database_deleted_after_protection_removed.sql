-- title           = "Database was deleted without a snapshot soon after its protection was taken off"
-- severity        = "high"
-- tags            = ["attack.impact", "attack.t1485", "attack.t1490"]
-- remedy          = "Ask whoever deleted it. If nobody can say: restore the database from its latest automated backup or snapshot before that is deleted too, and revoke the sessions of the principals in the list."
-- false_positives = "A test environment that is taken down by hand, by Terraform or by CloudFormation (medium by the role of a program)."
-- description     = "Deletion protection or automated backups of a database were switched off, by whomever, and within a day the database itself was deleted without a final snapshot."
SELECT eventTime, eventName, unprotected, principals, sourceIPAddress, userAgent,
       -- Terraform and CloudFormation take the protection off first, as whoever destroys an environment with it must
       CASE WHEN (is_infrastructure_tool() OR userIdentity.invokedBy = 'cloudformation.amazonaws.com') AND NOT is_person() THEN 'medium' ELSE 'high' END AS severity,
       coalesce(responseElements ->> 'dBInstanceArn', responseElements ->> 'dBClusterArn', coalesce(requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier')) AS resource
FROM (SELECT *,
             count(*) FILTER (WHERE eventName LIKE 'Modify%') OVER before AS unprotected,
             sample(userIdentity.arn) OVER before AS principals
      FROM cloudtrail
      WHERE eventSource = 'rds.amazonaws.com'
        AND eventName IN ('ModifyDBInstance', 'ModifyDBCluster', 'DeleteDBInstance', 'DeleteDBCluster')
        AND errorCode IS NULL
        AND (requestParameters ->> 'deletionProtection' = 'false'
             OR requestParameters ->> 'backupRetentionPeriod' = '0'
             OR requestParameters ->> 'skipFinalSnapshot' = 'true')
      WINDOW before AS (PARTITION BY account, awsRegion, coalesce(requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier')
                        ORDER BY eventTime RANGE BETWEEN INTERVAL '24 hours' PRECEDING AND CURRENT ROW))
WHERE eventName LIKE 'Delete%'
  AND unprotected >= 1
