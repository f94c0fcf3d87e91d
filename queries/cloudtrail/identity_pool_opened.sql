-- title           = "Cognito identity pool was made to give credentials to anybody"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.initial_access", "attack.t1098.001", "attack.t1078.004"]
-- remedy          = "Ask the owner of the pool. Turn unauthenticated identities off, or take every right from their role that strangers need not have."
-- false_positives = "Applications with guests."
SELECT eventTime,
       eventName,
       requestParameters ->> 'roles' AS roles,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'identityPoolId', responseElements ->> 'identityPoolId', requestParameters ->> 'identityPoolName') AS resource
FROM cloudtrail
WHERE eventSource = 'cognito-identity.amazonaws.com'
  AND eventName IN ('CreateIdentityPool', 'UpdateIdentityPool', 'SetIdentityPoolRoles')
  AND (requestParameters ->> 'allowUnauthenticatedIdentities' = 'true'
       OR json_contains(requestParameters, 'roles', 'unauthenticated'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
