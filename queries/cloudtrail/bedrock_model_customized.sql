-- title           = "Bedrock model customization, or an endpoint for a model of the marketplace, was started"
-- severity        = "low"
-- tags            = ["attack.impact", "attack.t1496", "attack.collection"]
-- remedy          = "Check the training data and the output bucket; stop the job (StopModelCustomizationJob), or delete the endpoint, whose machines are paid by the hour, if nobody claims it."
-- false_positives = "Machine learning teams."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'customModelName', requestParameters ->> 'importedModelName', requestParameters ->> 'modelSourceIdentifier') AS model,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements ->> 'jobArn', requestParameters ->> 'jobName', requestParameters ->> 'endpointName') AS resource
FROM cloudtrail
WHERE eventSource = 'bedrock.amazonaws.com'
  AND eventName IN ('CreateModelCustomizationJob', 'CreateModelImportJob', 'CreateModelInvocationJob', 'CreateMarketplaceModelEndpoint')
  AND errorCode IS NULL
