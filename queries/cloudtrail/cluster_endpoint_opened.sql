-- title    = "Kubernetes API endpoint of an EKS cluster was opened to the internet"
-- severity = "medium"
-- tags     = ["attack.initial_access", "attack.t1133", "attack.defense_evasion"]
-- remedy   = "Narrow publicAccessCidrs or use the private endpoint; read the cluster's audit log for anonymous and unknown users."
SELECT eventTime,
       eventName,
       requestParameters -> 'resourcesVpcConfig' ->> 'publicAccessCidrs' AS cidrs,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'name' AS resource,
       CASE WHEN eventName = 'CreateCluster' THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'eks.amazonaws.com'
  AND eventName IN ('UpdateClusterConfig', 'CreateCluster')
  AND errorCode IS NULL
  AND (requestParameters -> 'resourcesVpcConfig' ->> 'endpointPublicAccess' = 'true'
       -- ranges alone, for an endpoint that is public
       OR requestParameters -> 'resourcesVpcConfig' ->> 'endpointPublicAccess' IS NULL)
  -- the internet in halves or quarters is the internet
  AND (regexp_like(requestParameters -> 'resourcesVpcConfig' ->> 'publicAccessCidrs', '/[0-7]"|::/[0-3]"')
       OR (eventName = 'CreateCluster'
           AND requestParameters -> 'resourcesVpcConfig' ->> 'endpointPublicAccess' = 'true'
           AND requestParameters -> 'resourcesVpcConfig' ->> 'publicAccessCidrs' IS NULL))
