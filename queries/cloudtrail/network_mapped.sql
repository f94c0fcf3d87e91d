-- title           = "Networks of the account and their connections were listed by one principal"
-- severity        = "low"
-- tags            = ["attack.discovery", "attack.t1049", "attack.t1580"]
-- remedy          = "Ask the principal which tool it ran. If nobody can say: disable its key or revoke its sessions; the lists show the ways to other networks, data centres and accounts."
-- false_positives = "Inventory and drawing tools run by a person with a key of their own."
-- description     = "Seven kinds of lists in ten minutes, each asked for as a whole. Terraform asks for single ids or by filter; the pages of the console make such calls by themselves and are left out."
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
WHERE eventSource IN ('ec2.amazonaws.com', 'directconnect.amazonaws.com')
  AND eventName IN ('DescribeVpcs', 'DescribeSubnets', 'DescribeRouteTables', 'DescribeNetworkInterfaces', 'DescribeNetworkAcls', 'DescribeNatGateways', 'DescribeInternetGateways',
                    'DescribeVpcPeeringConnections', 'DescribeVpcEndpoints', 'DescribeTransitGateways', 'DescribeTransitGatewayAttachments', 'DescribeVpnConnections',
                    'DescribeVpnGateways', 'DescribeCustomerGateways', 'DescribeClientVpnEndpoints', 'DescribeConnections', 'DescribeVirtualInterfaces')
  AND userIdentity.invokedBy IS NULL
  AND sessionCredentialFromConsole IS NOT TRUE
  -- no pipeline asks so much at a command line
  AND (is_person()
       OR userAgent LIKE 'aws-cli/%'
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
  AND NOT regexp_like(coalesce(CAST(requestParameters AS VARCHAR), ''), '"items"|"(Filter|[A-Za-z]+Ids?)"')
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT eventName) >= 7
