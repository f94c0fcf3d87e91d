-- title           = "Cognito identity pool was made to give credentials to anybody, or other tags to its users"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.initial_access", "attack.t1098.001", "attack.t1078.004"]
-- remedy          = "Ask the owner of the pool. Turn unauthenticated identities off, or take every right from their role that strangers need not have."
-- false_positives = "Applications with guests."
SELECT eventTime,
       eventName,
       requestParameters ->> 'roles' AS roles,
       sourceIPAddress,
       userAgent,
       CASE WHEN eventName = 'SetPrincipalTagAttributeMap' THEN 'Cognito identity pool was told by hand which tags its users carry'
            ELSE 'Cognito identity pool was made to give credentials to anybody' END AS title,
       coalesce(requestParameters ->> 'identityPoolId', responseElements ->> 'identityPoolId', requestParameters ->> 'identityPoolName') AS resource
FROM cloudtrail
WHERE eventSource = 'cognito-identity.amazonaws.com'
  AND eventName IN ('CreateIdentityPool', 'UpdateIdentityPool', 'SetIdentityPoolRoles', 'SetPrincipalTagAttributeMap')
  AND (requestParameters ->> 'allowUnauthenticatedIdentities' = 'true'
       OR json_contains(requestParameters, 'roles', 'unauthenticated')
       -- policies may ask for these tags
       OR eventName = 'SetPrincipalTagAttributeMap'
          AND NOT is_infrastructure_tool()
          AND is_by_hand())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
