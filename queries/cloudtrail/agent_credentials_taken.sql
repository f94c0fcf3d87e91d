-- title    = "Credentials that an agent holds for other services were fetched by a person or an instance"
-- severity = "medium"
-- tags     = ["attack.credential_access", "attack.t1528", "attack.t1555.006"]
-- remedy   = "Ask the owner; change the API key or revoke the grant at the other service, and look there for what was done with it."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'resourceCredentialProviderName', requestParameters ->> 'workloadName') AS resource
FROM cloudtrail
WHERE eventSource = 'bedrock-agentcore.amazonaws.com'
  AND eventName IN ('GetResourceApiKey', 'GetResourceOauth2Token', 'GetWorkloadAccessToken', 'GetWorkloadAccessTokenForUserId')
  AND NOT is_infrastructure_tool()
  AND (is_by_hand()
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
