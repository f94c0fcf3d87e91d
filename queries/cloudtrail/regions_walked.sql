-- title           = "Person or instance asked the same of many Regions within minutes"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.t1580", "attack.t1526"]
-- remedy          = "Ask whoever it was. A tool that goes through the Regions looks for what an account holds, or where nobody looks."
-- false_positives = "Inventories that a person runs, or (low) an instance."
SELECT userIdentity.arn AS who,
       count(DISTINCT awsRegion) AS regions,
       sample(awsRegion) AS some_regions,
       sample(eventName) AS calls,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(userIdentity.arn) AS resource,
       CASE WHEN count(*) FILTER (WHERE userIdentity.sessionContext.ec2RoleDelivery IS NULL) > 0 THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventName IN ('DescribeInstances', 'DescribeDBInstances', 'ListFunctions20150331', 'DescribeSnapshots', 'DescribeSecurityGroups', 'DescribeVpcs', 'ListSecrets', 'ListClusters', 'GetSendQuota', 'ListFoundationModels')
  AND userIdentity.invokedBy IS NULL
  AND sessionCredentialFromConsole IS NOT TRUE
  AND coalesce(userAgent, '') NOT LIKE '%Terraform%'
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT awsRegion) >= 10
