-- title           = "AWS Config recorder was stopped or deleted"
-- severity        = "high"
-- tags            = ["attack.defense_evasion", "attack.t1562.001", "cis.4.9"]
-- remedy          = "Start the recorder again with StartConfigurationRecorder, then list what changed in the gap from CloudTrail."
-- false_positives = "Control Tower, which moves accounts to another landing zone (low)."
SELECT eventTime,
       eventName,
       errorCode,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'configurationRecorderName', requestParameters ->> 'deliveryChannelName') AS resource,
       CASE WHEN userIdentity.sessionContext.sessionIssuer.userName = 'AWSControlTowerExecution'
                 AND userIdentity.invokedBy = 'cloudformation.amazonaws.com' THEN 'low'
            WHEN errorCode IS NULL THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'AWS Config recorder was stopped or deleted'
            ELSE 'Somebody tried to stop or delete the AWS Config recorder' END AS title
FROM cloudtrail
WHERE eventSource = 'config.amazonaws.com'
  AND eventName IN ('StopConfigurationRecorder', 'DeleteConfigurationRecorder', 'DeleteDeliveryChannel')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
