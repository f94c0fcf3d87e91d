-- title    = "Audit logging of an EKS cluster was disabled"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1562.008"]
-- remedy   = "Enable the audit and authenticator logs again; what was done in the cluster meanwhile is not recorded."
SELECT eventTime,
       requestParameters ->> 'logging' AS logging,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'name' AS resource
FROM cloudtrail
WHERE eventSource = 'eks.amazonaws.com'
  AND eventName = 'UpdateClusterConfig'
  AND errorCode IS NULL
  AND array_any_match(
        json_get_array(requestParameters, 'logging', 'clusterLogging'),
        l -> l ->> 'enabled' = 'false' AND regexp_like(l ->> 'types', '"(audit|authenticator)"'))
