-- title    = "Visitors or a stream of data were sent to another place by hand"
-- severity = "medium"
-- tags     = ["attack.impact", "attack.t1491.002", "attack.t1565", "attack.exfiltration", "attack.t1020"]
-- remedy   = "Compare with what is in your repository, put it back, and see who was sent where meanwhile."
SELECT eventTime,
       eventName,
       requestParameters AS change,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'listenerArn', requestParameters ->> 'ruleArn', requestParameters ->> 'deliveryStreamName', requestParameters ->> 'alias', requestParameters ->> 'targetDistributionId', requestParameters ->> 'endpointGroupArn', requestParameters ->> 'restApiId', requestParameters ->> 'apiId') AS resource,
       -- data_sent_to_web_address tells it
       CASE WHEN requestParameters LIKE '%ttpEndpoint%' OR eventSource = 'apigateway.amazonaws.com' AND sessionCredentialFromConsole THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource IN ('elasticloadbalancing.amazonaws.com', 'firehose.amazonaws.com', 'cloudfront.amazonaws.com', 'globalaccelerator.amazonaws.com', 'apigateway.amazonaws.com')
  AND eventName IN ('ModifyListener', 'CreateRule', 'ModifyRule', 'UpdateDestination', 'AssociateAlias', 'AssociateAlias2020_05_31', 'UpdateEndpointGroup', 'AddEndpoints', 'PutIntegration', 'UpdateIntegration', 'CreateIntegration')
  AND (eventSource <> 'elasticloadbalancing.amazonaws.com'
       OR regexp_like(requestParameters, '"host"\s*:\s*"[^#"]'))
  -- an API that hands its callers on to an address on the web
  AND (eventSource <> 'apigateway.amazonaws.com'
       OR regexp_like(requestParameters, '(?i)"(uri|integrationUri|value)"\s*:\s*"https?://'))
  AND (eventName NOT IN ('UpdateEndpointGroup', 'AddEndpoints')
       OR json_length(requestParameters, 'endpointConfigurations') > 0)
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
