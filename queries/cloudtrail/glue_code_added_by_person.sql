-- title           = "Person added code that Glue runs: a blueprint, a function of the catalog, or a driver of a connection"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.execution", "attack.persistence", "attack.privilege_escalation", "attack.t1648", "attack.t1059.006", "attack.t1554"]
-- remedy          = "Read what lies at the address that is named. Jobs and queries load it with the rights of their own roles, and a driver is handed user and password: if nobody can say whose it is, delete it, and look at the runs since."
-- false_positives = "Data engineers who try a connector by hand; leave that to deployments."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'blueprintLocation', requestParameters -> 'functionInput' ->> 'resourceUris', requestParameters -> 'connectionInput' ->> 'connectionProperties') AS code,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'name', requestParameters ->> 'functionName', requestParameters -> 'functionInput' ->> 'functionName', requestParameters -> 'connectionInput' ->> 'name') AS resource
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName IN ('CreateBlueprint', 'UpdateBlueprint', 'CreateUserDefinedFunction', 'UpdateUserDefinedFunction', 'CreateConnection')
  AND (eventName LIKE '%Blueprint'
       OR json_length(requestParameters, 'functionInput', 'resourceUris') > 0
       OR regexp_like(requestParameters -> 'connectionInput' ->> 'connectionProperties', '"(CONNECTOR_URL|JDBC_DRIVER_JAR_URI)"'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
