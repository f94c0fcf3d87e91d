-- title           = "Bedrock model customization was started"
-- severity        = "low"
-- tags            = ["attack.impact", "attack.t1496", "attack.collection"]
-- remedy          = "Check the training data and the output bucket; stop the job (StopModelCustomizationJob) if nobody claims it."
-- false_positives = "Machine learning teams."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'customModelName', requestParameters ->> 'importedModelName') AS model,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements ->> 'jobArn', requestParameters ->> 'jobName') AS resource
FROM cloudtrail
WHERE eventSource = 'bedrock.amazonaws.com'
  AND eventName IN ('CreateModelCustomizationJob', 'CreateModelImportJob', 'CreateModelInvocationJob')
  AND errorCode IS NULL
