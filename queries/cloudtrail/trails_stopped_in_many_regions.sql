-- title           = "Trails or detectors were switched off in several Regions at once"
-- severity        = "critical"
-- tags            = ["attack.defense_evasion", "attack.t1562.008", "attack.t1562.001", "attack.t1535"]
-- remedy          = "Switch them on again and revoke the sessions of the principal; look at new resources in the Regions in the list."
-- false_positives = "An organization trail takes the place of the trails in each Region."
SELECT userIdentity.arn AS who,
       count(DISTINCT awsRegion) AS regions,
       sample(awsRegion) AS some_regions,
       sample(eventName) AS calls,
       sample(coalesce(requestParameters ->> 'name', requestParameters ->> 'detectorId')) AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(*) FILTER (WHERE is_person() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL) > 0 THEN 'critical' ELSE 'high' END AS severity
FROM cloudtrail
WHERE eventSource IN ('cloudtrail.amazonaws.com', 'guardduty.amazonaws.com')
  AND eventName IN ('StopLogging', 'DeleteTrail', 'DeleteDetector', 'DisassociateFromAdministratorAccount', 'DisassociateFromMasterAccount')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT awsRegion) >= 3
