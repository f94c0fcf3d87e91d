-- title           = "CloudTrail trail was stopped or deleted"
-- severity        = "high"
-- tags            = ["attack.defense_evasion", "attack.t1562.008", "cis.4.5"]
-- remedy          = "Start the trail again (StartLogging, or create it anew), then review what this principal did from a copy of the event history, which is kept 90 days without a trail."
-- false_positives = "Control Tower, which moves accounts to another landing zone (low)."
SELECT eventTime,
       eventName,
       errorCode,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'name' AS resource,
       CASE WHEN userIdentity.sessionContext.sessionIssuer.userName = 'AWSControlTowerExecution'
                 AND userIdentity.invokedBy = 'cloudformation.amazonaws.com' THEN 'low'
            WHEN errorCode IS NULL THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'CloudTrail trail was stopped or deleted'
            ELSE 'Somebody tried to stop or delete a CloudTrail trail' END AS title
FROM cloudtrail
WHERE eventSource = 'cloudtrail.amazonaws.com'
  AND eventName IN ('StopLogging', 'DeleteTrail')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
