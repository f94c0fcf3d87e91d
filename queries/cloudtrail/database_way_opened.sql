-- title    = "Data API of a database was opened by hand, or the database given a role of its own"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.t1098", "attack.exfiltration", "attack.t1537"]
-- remedy   = "Ask the owner. By the data API queries come without a network path; by a role the database writes to S3 or calls functions itself. Take back what nobody asked for."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'roleArn', requestParameters ->> 'addIamRoles', requestParameters ->> 'featureName') AS role,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'resourceArn', requestParameters ->> 'dBClusterIdentifier', requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'clusterIdentifier') AS resource
FROM cloudtrail
WHERE eventSource IN ('rds.amazonaws.com', 'redshift.amazonaws.com')
  AND eventName IN ('EnableHttpEndpoint', 'AddRoleToDBCluster', 'AddRoleToDBInstance', 'ModifyDBCluster', 'ModifyClusterIamRoles')
  AND (eventName <> 'ModifyDBCluster'
       OR requestParameters ->> 'enableHttpEndpoint' = 'true')
  AND (eventName <> 'ModifyClusterIamRoles'
       OR json_length(requestParameters, 'addIamRoles') > 0)
  AND NOT is_infrastructure_tool()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
