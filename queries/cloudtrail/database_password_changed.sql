-- title           = "Master password or master user of a database or search domain was changed"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.persistence", "attack.t1098"]
-- remedy          = "Ask the principal; change the password again, from the secret's owner, if the answer does not fit, and end open connections."
-- false_positives = "Rotation that goes by ModifyDBInstance: low where a program does so on a third day of a week."
SELECT eventTime,
       eventName,
       errorCode,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN errorCode IS NOT NULL OR days >= 3 AND NOT is_person() THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL AND eventName IN ('ModifyUser', 'UpdateUser') THEN 'User of a cache no longer needs a password'
            WHEN errorCode IS NULL AND eventName IN ('UpdateFileSystem', 'UpdateStorageVirtualMachine') THEN 'Password of the administrator of a file system was changed'
            WHEN errorCode IS NULL AND eventName = 'CreateUser' THEN 'User of a cache was made who needs no password'
            WHEN errorCode IS NULL THEN 'Master password or master user of a database or search domain was changed'
            WHEN eventName IN ('ModifyUser', 'UpdateUser', 'CreateUser') THEN 'Somebody tried to have a user of a cache who needs no password'
            WHEN eventName IN ('UpdateFileSystem', 'UpdateStorageVirtualMachine') THEN 'Somebody tried to change the password of the administrator of a file system'
            ELSE 'Somebody tried to change the master password of a database' END AS title
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || coalesce(responseElements ->> 'dBInstanceArn', responseElements ->> 'dBClusterArn', requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier', requestParameters ->> 'domainName', requestParameters ->> 'clusterArn', requestParameters ->> 'clusterIdentifier', requestParameters ->> 'fileSystemId', requestParameters ->> 'storageVirtualMachineId', requestParameters ->> 'userId', requestParameters ->> 'userName', requestParameters ->> 'namespaceName', requestParameters ->> 'relationalDatabaseName')) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource IN ('rds.amazonaws.com', 'redshift.amazonaws.com', 'es.amazonaws.com', 'docdb-elastic.amazonaws.com', 'fsx.amazonaws.com', 'elasticache.amazonaws.com', 'memorydb.amazonaws.com', 'redshift-serverless.amazonaws.com', 'lightsail.amazonaws.com')
        AND eventName IN ('ModifyDBInstance', 'ModifyDBCluster', 'ModifyCluster', 'UpdateDomainConfig', 'UpdateCluster', 'UpdateFileSystem', 'ModifyUser', 'UpdateUser', 'UpdateNamespace', 'UpdateRelationalDatabase', 'UpdateStorageVirtualMachine', 'CreateUser')
        AND (json_contains(requestParameters, 'masterUserPassword')
             OR json_contains(requestParameters, 'advancedSecurityOptions', 'masterUserOptions')
             OR json_contains(requestParameters, 'adminUserPassword')
             OR json_contains(requestParameters, 'ontapConfiguration', 'fsxAdminPassword')
             OR json_contains(requestParameters, 'svmAdminPassword')
             -- a deployment makes a default user who may do nothing
             OR (requestParameters ->> 'noPasswordRequired' = 'true'
                 OR requestParameters -> 'authenticationMode' ->> 'type' = 'no-password-required')
                AND (eventName <> 'CreateUser'
                     OR is_by_hand()
                        AND NOT is_infrastructure_tool()
                        AND userIdentity.invokedBy IS NULL))
      WINDOW week AS (PARTITION BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), is_person(), is_by_hand_or_script(), errorCode IS NULL
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%'
