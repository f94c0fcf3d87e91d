-- title    = "Person added a type of others' code that stacks run"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.t1554", "attack.execution", "attack.t1648"]
-- remedy   = "See who publishes the type and with which role it runs; take it away (DeactivateType, DeregisterType) if nobody asked for it."
SELECT eventTime,
       eventName,
       requestParameters ->> 'executionRoleArn' AS role,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'publicTypeArn', requestParameters ->> 'typeName') AS resource
FROM cloudtrail
WHERE eventSource = 'cloudformation.amazonaws.com'
  AND eventName IN ('RegisterType', 'ActivateType', 'SetTypeDefaultVersion', 'SetTypeConfiguration')
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
