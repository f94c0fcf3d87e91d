-- title           = "Logs of the account were gone through by one principal"
-- severity        = "low"
-- tags            = ["attack.discovery", "attack.t1654"]
-- remedy          = "Ask the principal what it looked for. If nobody can say: disable its key or revoke its sessions, and read what it called next; who learns what is logged often switches it off."
-- false_positives = "An engineer who chases an error with the command line; audit tools run by a person."
-- description     = "Which trails, selectors, flow logs and log groups there are, and what is in them: five kinds of such calls in ten minutes, to two services, one of them a read of records. Terraform reads no records; the pages of the console make many such calls by themselves and are left out."
SELECT userIdentity.arn AS who,
       count(DISTINCT eventName) AS kinds,
       sample(eventName) AS calls,
       count(*) FILTER (WHERE errorCode IS NOT NULL) AS refused,
       sample(awsRegion) AS regions,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       account AS resource,
       CASE WHEN count(*) FILTER (WHERE (userIdentity.accessKeyId LIKE 'AKIA%' OR userIdentity.type = 'FederatedUser') AND coalesce(userAgent, '') NOT LIKE '%Terraform%' OR NOT is_person()) > 0 THEN 'medium'
            ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventName IN ('DescribeTrails', 'ListTrails', 'GetTrail', 'GetTrailStatus', 'GetEventSelectors', 'GetInsightSelectors', 'ListEventDataStores', 'LookupEvents',
                    'DescribeLogGroups', 'DescribeLogStreams', 'DescribeSubscriptionFilters', 'FilterLogEvents', 'GetLogEvents', 'StartQuery', 'DescribeFlowLogs',
                    'ListResolverQueryLogConfigs', 'GetBucketLogging')
  AND eventSource IN ('cloudtrail.amazonaws.com', 'logs.amazonaws.com', 'ec2.amazonaws.com', 'route53resolver.amazonaws.com', 's3.amazonaws.com')
  AND userIdentity.invokedBy IS NULL
  AND sessionCredentialFromConsole IS NOT TRUE
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT eventName) >= 5
   AND count(DISTINCT eventSource) >= 2
   AND count(*) FILTER (WHERE eventName IN ('LookupEvents', 'FilterLogEvents', 'GetLogEvents', 'StartQuery')) >= 1
