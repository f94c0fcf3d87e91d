-- title           = "Bedrock model was invoked by a person or from a command line"
-- severity        = "low"
-- tags            = ["attack.impact", "attack.t1496", "attack.t1496.004"]
-- remedy          = "See whether the principal has enabled the model itself, and how much it has used; stolen keys are sold for this. If nobody knows the calls, deactivate the key or revoke the sessions."
-- false_positives = "Developers trying models."
SELECT eventTime,
       eventName,
       requestParameters ->> 'modelId' AS model,
       errorCode,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'modelId' AS resource,
       CASE WHEN errorCode IS NULL THEN 'Bedrock model was invoked by a person or from a command line'
            ELSE 'Somebody tried to invoke a Bedrock model' END AS title
FROM cloudtrail
WHERE eventSource = 'bedrock.amazonaws.com'
  AND eventName IN ('InvokeModel', 'InvokeModelWithResponseStream', 'InvokeModelWithBidirectionalStream', 'StartAsyncInvoke', 'Converse', 'ConverseStream')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND (is_person()
       OR regexp_like(userIdentity.principalId, ':(cli|botocore-session-[0-9]+|aws-go-sdk-[0-9]+)$')
       OR userAgent LIKE 'aws-cli/%'
       OR errorCode IS NOT NULL)
