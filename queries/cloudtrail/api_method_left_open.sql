-- title    = "API was changed to ask for no authorization, or its policy changed by a person"
-- severity = "medium"
-- tags     = ["attack.initial_access", "attack.t1190", "attack.defense_evasion", "attack.t1562.001", "attack.persistence", "attack.t1556"]
-- remedy   = "Set the authorizer or policy again, and look in the API's log who called it meanwhile."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'httpMethod', requestParameters ->> 'routeKey') AS method,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'restApiId', requestParameters ->> 'apiId', requestParameters ->> 'gatewayIdentifier', requestParameters ->> 'domainName', requestParameters ->> 'name') AS resource
FROM cloudtrail
WHERE eventSource IN ('apigateway.amazonaws.com', 'appsync.amazonaws.com', 'bedrock-agentcore.amazonaws.com', 'bedrock-agentcore-control.amazonaws.com')
  AND eventName IN ('UpdateMethod', 'UpdateRoute', 'UpdateGraphqlApi', 'UpdateRestApi', 'CreateGateway', 'UpdateGateway', 'UpdateDomainName')
  AND (regexp_like(requestParameters, '"path"\s*:\s*"/authorizationType"\s*,\s*"value"\s*:\s*"NONE"|"authorizationType"\s*:\s*"NONE"|"remove"\s*,\s*"path"\s*:\s*"/mutualTlsAuthentication')
       OR requestParameters ->> 'authorizerType' = 'NONE'
       OR requestParameters ->> 'authenticationType' = 'API_KEY'
       OR regexp_like(requestParameters, '"path"\s*:\s*"/policy"')
          AND NOT is_infrastructure_tool()
          AND is_by_hand())
  AND coalesce(requestParameters ->> 'httpMethod', '') <> 'OPTIONS'
  AND errorCode IS NULL
