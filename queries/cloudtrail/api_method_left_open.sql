-- title    = "Method of an API was changed to ask for no authorization"
-- severity = "medium"
-- tags     = ["attack.initial_access", "attack.t1190", "attack.defense_evasion", "attack.t1562.001", "attack.persistence", "attack.t1556"]
-- remedy   = "Set the authorizer again, and look in the API's log who called the method meanwhile."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'httpMethod', requestParameters ->> 'routeKey') AS method,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'restApiId', requestParameters ->> 'apiId') AS resource
FROM cloudtrail
WHERE eventSource = 'apigateway.amazonaws.com'
  AND eventName IN ('UpdateMethod', 'UpdateRoute')
  AND regexp_like(requestParameters, '"path"\s*:\s*"/authorizationType"\s*,\s*"value"\s*:\s*"NONE"|"authorizationType"\s*:\s*"NONE"')
  AND coalesce(requestParameters ->> 'httpMethod', '') <> 'OPTIONS'
  AND errorCode IS NULL
