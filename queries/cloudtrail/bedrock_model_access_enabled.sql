-- title           = "Access to a Bedrock foundation model was enabled"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1496", "attack.resource_development", "attack.t1496.004"]
-- remedy          = "Ask who needs the model; if nobody does, contain the principal, delete the agreement (DeleteFoundationModelAgreement), and watch InvokeModel and the bill."
-- false_positives = "The team that runs generative AI."
SELECT eventTime,
       eventName,
       requestParameters ->> 'modelId' AS model,
       errorCode,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'modelId', account) AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Access to a Bedrock foundation model was enabled'
            ELSE 'Somebody tried to enable access to a Bedrock foundation model' END AS title
FROM cloudtrail
WHERE eventSource = 'bedrock.amazonaws.com'
  AND eventName IN ('PutUseCaseForModelAccess', 'CreateFoundationModelAgreement', 'PutFoundationModelEntitlement')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
