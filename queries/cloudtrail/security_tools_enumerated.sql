-- title           = "One principal asked which security services are on"
-- severity        = "low"
-- tags            = ["attack.discovery", "attack.t1518.001"]
-- remedy          = "Ask the principal which tool it ran. If nobody can say: disable its key or revoke its sessions, and look whether it went on to switch one of them off."
-- false_positives = "Posture tools run by a person with a key of their own."
-- description     = "Four services in ten minutes, one of them asked for a list that Terraform never asks for. The pages of the console make such calls by themselves and are left out."
SELECT userIdentity.arn AS who,
       count(DISTINCT eventSource) AS services,
       sample(eventName) AS calls,
       count(*) FILTER (WHERE errorCode IS NOT NULL) AS refused,
       sample(awsRegion) AS regions,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       account AS resource,
       CASE WHEN count(*) FILTER (WHERE (userIdentity.accessKeyId LIKE 'AKIA%' OR userIdentity.type = 'FederatedUser') AND coalesce(userAgent, '') NOT LIKE '%Terraform%' OR NOT is_person()) > 0 THEN 'medium'
            ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource IN ('guardduty.amazonaws.com', 'securityhub.amazonaws.com', 'access-analyzer.amazonaws.com', 'config.amazonaws.com', 'macie2.amazonaws.com',
                      'inspector2.amazonaws.com', 'detective.amazonaws.com', 'wafv2.amazonaws.com', 'network-firewall.amazonaws.com', 'shield.amazonaws.com')
  AND eventName IN ('ListDetectors', 'GetDetector', 'ListFindings', 'GetFindings', 'DescribeHub', 'GetEnabledStandards', 'ListAnalyzers', 'DescribeConfigurationRecorders',
                    'DescribeConfigurationRecorderStatus', 'DescribeConfigRules', 'GetMacieSession', 'BatchGetAccountStatus', 'ListGraphs', 'ListWebACLs', 'ListFirewalls',
                    'GetSubscriptionState')
  AND userIdentity.invokedBy IS NULL
  AND sessionCredentialFromConsole IS NOT TRUE
  -- no pipeline asks so much at a command line
  AND (is_person()
       OR userAgent LIKE 'aws-cli/%'
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT eventSource) >= 4
   AND count(*) FILTER (WHERE eventName IN ('ListDetectors', 'ListFindings', 'GetFindings', 'ListAnalyzers', 'ListGraphs', 'ListWebACLs', 'ListFirewalls', 'GetSubscriptionState')) >= 1
