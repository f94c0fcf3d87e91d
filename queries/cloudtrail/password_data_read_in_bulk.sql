-- title           = "Windows administrator passwords of many instances were asked for"
-- severity        = "high"
-- tags            = ["attack.credential_access", "attack.t1552"]
-- remedy          = "Ask the principal. If it cannot say why: revoke its sessions, change the local administrator passwords, and look for its key pairs, which decrypt the answers."
-- false_positives = "A Windows team that rolls out a new fleet."
SELECT userIdentity.arn AS who,
       count(DISTINCT requestParameters ->> 'instanceId') AS instances,
       count(*) FILTER (WHERE errorCode IS NOT NULL) AS refused,
       sample(requestParameters ->> 'instanceId') AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(*) FILTER (WHERE errorCode IS NULL) > 0 THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN count(*) FILTER (WHERE errorCode IS NULL) > 0 THEN 'Windows administrator passwords of many instances were asked for'
            ELSE 'Somebody tried to get the Windows administrator passwords of many instances' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'GetPasswordData'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT requestParameters ->> 'instanceId') >= 6
