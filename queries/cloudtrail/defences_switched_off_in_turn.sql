-- title           = "Several security services were switched off one after the other"
-- severity        = "critical"
-- tags            = ["attack.defense_evasion", "attack.t1562.001", "attack.t1562.008"]
-- remedy          = "Switch them on again, revoke the sessions of the principal, and look at what it did before and after in the event history of CloudTrail."
-- false_positives = "An account that is closed, or torn down with Terraform; a network that is taken down with its logs (medium)."
SELECT userIdentity.arn AS who,
       count(DISTINCT eventSource) AS services,
       sample(eventName) AS calls,
       sample(awsRegion) AS regions,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       account AS resource,
       -- flow logs, web ACLs and DNS logs go with the network that they belong to
       CASE WHEN count(*) FILTER (WHERE eventSource NOT IN ('ec2.amazonaws.com', 'wafv2.amazonaws.com', 'route53resolver.amazonaws.com')) = 0 THEN 'medium'
            ELSE 'critical' END AS severity
FROM cloudtrail
WHERE eventName IN ('StopLogging', 'DeleteTrail', 'DeleteEventDataStore', 'DeleteDetector', 'DisassociateFromAdministratorAccount', 'DisassociateFromMasterAccount',
                    'StopMonitoringMembers', 'DisableSecurityHub', 'StopConfigurationRecorder', 'DeleteConfigurationRecorder', 'DeleteDeliveryChannel',
                    'DeleteFlowLogs', 'DeleteAnalyzer', 'DisableMacie', 'DeleteWebACL', 'DeleteResolverQueryLogConfig')
  AND eventSource IN ('cloudtrail.amazonaws.com', 'guardduty.amazonaws.com', 'securityhub.amazonaws.com', 'config.amazonaws.com', 'ec2.amazonaws.com',
                      'access-analyzer.amazonaws.com', 'macie2.amazonaws.com', 'wafv2.amazonaws.com', 'route53resolver.amazonaws.com')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '20 minutes', INTERVAL '1 hour')
HAVING count(DISTINCT eventSource) >= 3
