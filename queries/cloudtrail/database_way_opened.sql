-- title    = "Data API of a database was opened by hand, or the database given a role of its own or logins by IAM"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.t1098", "attack.exfiltration", "attack.t1537"]
-- remedy   = "Ask the owner. By the data API queries come without a network path; by a role the database writes to S3 or calls functions itself; with logins by IAM a policy takes the place of a password. Take back what nobody asked for."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'roleArn', requestParameters ->> 'addIamRoles', requestParameters ->> 'featureName') AS role,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'resourceArn', requestParameters ->> 'dBClusterIdentifier', requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'clusterIdentifier') AS resource,
       CASE WHEN requestParameters ->> 'enableIAMDatabaseAuthentication' = 'true' AND requestParameters ->> 'enableHttpEndpoint' IS DISTINCT FROM 'true' THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource IN ('rds.amazonaws.com', 'redshift.amazonaws.com')
  AND eventName IN ('EnableHttpEndpoint', 'AddRoleToDBCluster', 'AddRoleToDBInstance', 'ModifyDBCluster', 'ModifyDBInstance', 'ModifyClusterIamRoles')
  AND (eventName NOT IN ('ModifyDBCluster', 'ModifyDBInstance')
       OR requestParameters ->> 'enableHttpEndpoint' = 'true'
       OR requestParameters ->> 'enableIAMDatabaseAuthentication' = 'true'
          AND is_by_hand())
  AND (eventName <> 'ModifyClusterIamRoles'
       OR json_length(requestParameters, 'addIamRoles') > 0)
  AND NOT is_infrastructure_tool()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
