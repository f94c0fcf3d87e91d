-- title           = "Data warehouse was made reachable from the internet"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.initial_access", "attack.t1190", "attack.t1537"]
-- remedy          = "Make it private again, look at its connections (STL_CONNECTION_LOG), and change its passwords."
SELECT eventTime,
       eventName,
       eventSource,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'clusterIdentifier', requestParameters ->> 'workgroupName', requestParameters ->> 'clusterSecurityGroupName') AS resource
FROM cloudtrail
WHERE eventSource IN ('redshift.amazonaws.com', 'redshift-serverless.amazonaws.com')
  AND eventName IN ('ModifyCluster', 'CreateCluster', 'RestoreFromClusterSnapshot', 'UpdateWorkgroup', 'CreateWorkgroup', 'AuthorizeClusterSecurityGroupIngress')
  AND (requestParameters ->> 'publiclyAccessible' = 'true'
       OR requestParameters ->> 'cIDRIP' = '0.0.0.0/0')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
