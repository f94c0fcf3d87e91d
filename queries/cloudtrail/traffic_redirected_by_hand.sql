-- title    = "Visitors or a stream of data were sent to another place by hand"
-- severity = "medium"
-- key      = ["account", "userIdentity.arn", "eventSource"]
-- tags     = ["attack.impact", "attack.t1491.002", "attack.t1565", "attack.exfiltration", "attack.t1020"]
-- remedy   = "Compare with what is in your repository, put it back, and see who was sent where meanwhile."
SELECT eventTime,
       eventName,
       requestParameters AS change,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'listenerArn', requestParameters ->> 'ruleArn', requestParameters ->> 'deliveryStreamName', requestParameters ->> 'alias', requestParameters ->> 'targetDistributionId', requestParameters ->> 'endpointGroupArn', requestParameters ->> 'restApiId', requestParameters ->> 'apiId', requestParameters ->> 'appId') AS resource,
       -- data_sent_to_web_address tells it
       CASE WHEN requestParameters LIKE '%ttpEndpoint%' OR eventSource = 'apigateway.amazonaws.com' AND sessionCredentialFromConsole THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN eventSource = 'elasticloadbalancing.amazonaws.com' THEN 'Visitors of a load balancer were sent to another place by hand'
            WHEN eventSource = 'firehose.amazonaws.com' THEN 'Stream of data was sent to another place by hand'
            WHEN eventSource = 'cloudfront.amazonaws.com' THEN 'Name of a web site was moved to another distribution by hand'
            WHEN eventSource = 'amplify.amazonaws.com' THEN 'Visitors of a web site were all sent to another one by hand'
            WHEN eventSource = 'globalaccelerator.amazonaws.com' THEN 'Accelerator was given other endpoints by hand'
            ELSE 'API was made by hand to send its callers on to a web address' END AS title
FROM cloudtrail
WHERE eventSource IN ('elasticloadbalancing.amazonaws.com', 'firehose.amazonaws.com', 'cloudfront.amazonaws.com', 'globalaccelerator.amazonaws.com', 'apigateway.amazonaws.com', 'amplify.amazonaws.com')
  AND eventName IN ('ModifyListener', 'CreateRule', 'ModifyRule', 'UpdateDestination', 'AssociateAlias', 'AssociateAlias2020_05_31', 'UpdateEndpointGroup', 'AddEndpoints', 'PutIntegration', 'UpdateIntegration', 'CreateIntegration', 'UpdateApp')
  AND (eventSource <> 'elasticloadbalancing.amazonaws.com'
       OR regexp_like(requestParameters, '"host"\s*:\s*"[^#"]'))
  -- all pages, to another site
  AND (eventSource <> 'amplify.amazonaws.com'
       OR array_any_match(json_get_array(requestParameters, 'customRules'),
                          c -> c ->> 'source' IN ('/<*>', '</^.*$/>')
                               -- a redirect, or the other site's pages under the name of this one
                               AND (c ->> 'status' LIKE '30%' OR c ->> 'status' = '200')
                               AND c ->> 'target' LIKE 'http%'))
  -- an API that hands its callers on to an address on the web
  AND (eventSource <> 'apigateway.amazonaws.com'
       OR regexp_like(requestParameters, '(?i)"(uri|integrationUri|value)"\s*:\s*"https?://'))
  AND (eventName NOT IN ('UpdateEndpointGroup', 'AddEndpoints')
       OR json_length(requestParameters, 'endpointConfigurations') > 0)
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
