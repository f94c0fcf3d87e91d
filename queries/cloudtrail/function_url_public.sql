-- title    = "Lambda function got a URL that asks for no credentials"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.t1133", "attack.exfiltration"]
-- remedy   = "Set the URL's auth type to AWS_IAM or delete it (DeleteFunctionUrlConfig), and read what the function does and may do."
SELECT eventTime,
       eventName,
       responseElements ->> 'functionUrl' AS url,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements ->> 'functionArn', requestParameters ->> 'functionName') AS resource
FROM cloudtrail
WHERE eventSource = 'lambda.amazonaws.com'
  AND (eventName LIKE 'CreateFunctionUrlConfig%' OR eventName LIKE 'UpdateFunctionUrlConfig%')
  AND errorCode IS NULL
  AND requestParameters ->> 'authType' = 'NONE'
