-- title    = "Audit log, password or required encryption in transit of a database was switched off"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1562.008", "attack.credential_access", "attack.t1040"]
-- remedy   = "Set the parameter or option again, and look who read the database meanwhile."
SELECT eventTime,
       eventName,
       requestParameters AS changes,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'dBParameterGroupName', requestParameters ->> 'dBClusterParameterGroupName', requestParameters ->> 'parameterGroupName', requestParameters ->> 'optionGroupName', requestParameters ->> 'replicationGroupId', requestParameters ->> 'domainName', requestParameters ->> 'dBProxyName') AS resource
FROM cloudtrail
WHERE eventSource IN ('rds.amazonaws.com', 'redshift.amazonaws.com', 'elasticache.amazonaws.com', 'es.amazonaws.com')
  AND eventName IN ('ModifyDBParameterGroup', 'ModifyDBClusterParameterGroup', 'ModifyClusterParameterGroup', 'ModifyOptionGroup', 'ModifyReplicationGroup', 'UpdateDomainConfig', 'ModifyDBProxy')
  AND (array_any_match(json_get_array(requestParameters, 'parameters'),
                       p -> regexp_like(p ->> 'parameterName', '^(rds[.]force_ssl|require_secure_transport|require_ssl|tls|neptune_enforce_ssl|server_audit_logging|pgaudit[.]log|audit_logs|neptune_enable_audit_log|enable_user_activity_logging|audit_trail)$')
                            AND regexp_like(p ->> 'parameterValue', '(?i)^(0|off|none|false|disabled)$'))
       OR regexp_like(requestParameters ->> 'optionsToRemove', '(?i)audit')
       OR requestParameters ->> 'authTokenUpdateStrategy' = 'DELETE'
       OR requestParameters ->> 'transitEncryptionEnabled' = 'false'
       -- tools send all that is written down, with every change
       OR (requestParameters -> 'domainEndpointOptions' ->> 'enforceHTTPS' = 'false'
           OR requestParameters ->> 'requireTLS' = 'false')
          AND userIdentity.invokedBy IS NULL
          AND NOT is_infrastructure_tool())
  AND errorCode IS NULL
