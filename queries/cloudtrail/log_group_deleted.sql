-- title           = "CloudWatch log group was deleted"
-- severity        = "low"
-- tags            = ["attack.defense_evasion", "attack.t1070"]
-- remedy          = "If the group held audit, flow or firewall logs, find their copy elsewhere, and ask the principal why."
-- false_positives = "Stacks that are taken down with their logs; Control Tower, which moves accounts to another landing zone (low)."
SELECT eventTime,
       eventName,
       requestParameters ->> 'logStreamName' AS stream,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'logGroupName' AS resource,
       CASE WHEN userIdentity.sessionContext.sessionIssuer.userName = 'AWSControlTowerExecution'
                 AND userIdentity.invokedBy = 'cloudformation.amazonaws.com' THEN 'low'
            WHEN regexp_like(requestParameters ->> 'logGroupName', '(?i)cloudtrail|flow-?log|vpc|guardduty|waf|route53|firewall|audit|security') THEN 'medium'
            WHEN is_by_hand() AND sessionCredentialFromConsole IS NOT TRUE AND NOT is_infrastructure_tool() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'logs.amazonaws.com'
  AND eventName IN ('DeleteLogGroup', 'DeleteLogStream')
  AND errorCode IS NULL
