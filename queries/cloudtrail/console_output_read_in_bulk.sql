-- title           = "Console output of many instances was read"
-- severity        = "low"
-- tags            = ["attack.discovery", "attack.t1082"]
-- remedy          = "Ask the principal. If nobody can say: disable its key or revoke its sessions; the output and the screenshots show the systems that run, their addresses and whatever start scripts print."
-- false_positives = "An engineer who looks into a fleet that does not start."
SELECT userIdentity.arn AS who,
       count(DISTINCT coalesce(requestParameters ->> 'instanceId', json_get_str(requestParameters, 'GetConsoleScreenshotRequest', 'InstanceId'))) AS instances,
       sample(eventName) AS calls,
       count(*) FILTER (WHERE errorCode IS NOT NULL) AS refused,
       sample(coalesce(requestParameters ->> 'instanceId', json_get_str(requestParameters, 'GetConsoleScreenshotRequest', 'InstanceId'))) AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(*) FILTER (WHERE (userIdentity.accessKeyId LIKE 'AKIA%' OR userIdentity.type = 'FederatedUser') AND coalesce(userAgent, '') NOT LIKE '%Terraform%' OR NOT is_person()) > 0 THEN 'medium'
            ELSE 'low' END AS severity,
       CASE WHEN count(*) FILTER (WHERE errorCode IS NULL) > 0 THEN 'Console output of many instances was read'
            ELSE 'Somebody tried to read the console output of many instances' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('GetConsoleOutput', 'GetConsoleScreenshot')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND userIdentity.invokedBy IS NULL
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT coalesce(requestParameters ->> 'instanceId', json_get_str(requestParameters, 'GetConsoleScreenshotRequest', 'InstanceId'))) >= 8
