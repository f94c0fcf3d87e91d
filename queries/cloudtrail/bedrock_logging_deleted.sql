-- title    = "Logging of Bedrock model invocations was deleted"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1562.008"]
-- remedy   = "Put the logging configuration back (PutModelInvocationLoggingConfiguration); prompts of the time between are lost, so review InvokeModel calls."
SELECT eventTime,
       errorCode,
       awsRegion,
       sourceIPAddress,
       userAgent,
       account AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Logging of Bedrock model invocations was deleted'
            ELSE 'Somebody tried to delete the logging of Bedrock model invocations' END AS title
FROM cloudtrail
WHERE eventSource = 'bedrock.amazonaws.com'
  AND eventName = 'DeleteModelInvocationLoggingConfiguration'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
