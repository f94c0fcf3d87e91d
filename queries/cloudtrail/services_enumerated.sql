-- title           = "One principal listed what many services hold"
-- severity        = "low"
-- dedupe          = "7d"
-- tags            = ["attack.discovery", "attack.t1526", "attack.t1580", "attack.t1619"]
-- remedy          = "Ask the principal which tool it ran. For a key of a user or the role of an instance that nobody can explain: disable it, and look at what was read next."
-- false_positives = "Inventory and posture tools, of each of which one finding a week tells (low where the permission set is one for audits); put their roles in the suppress list."
SELECT userIdentity.arn AS who,
       count(DISTINCT eventSource) AS services,
       count(DISTINCT eventName) AS apis,
       sample(eventName) AS some_apis,
       count(*) FILTER (WHERE errorCode IS NOT NULL) AS refused,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(userIdentity.arn) AS resource,
       CASE WHEN count(*) FILTER (WHERE (userIdentity.accessKeyId LIKE 'AKIA%' OR userIdentity.type = 'FederatedUser') OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL
                                     OR is_by_hand() AND NOT is_person()) > 0 THEN 'medium'
            -- a person with a tool, who is not in the console and runs no Terraform
            WHEN count(*) FILTER (WHERE userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%'
                                        AND sessionCredentialFromConsole IS NOT TRUE
                                        -- who gives out a permission set says what it is for
                                        AND NOT regexp_like(userIdentity.sessionContext.sessionIssuer.userName, '(?i)audit')
                                        AND userAgent NOT LIKE '%Terraform%'
                                        AND userAgent NOT LIKE 'Mozilla/%'
                                        AND userAgent NOT LIKE '%aws-internal%') >= 12 THEN 'medium'
            ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventName IN ('DescribeDBClusters', 'DescribeDBInstances', 'DescribeFileSystems', 'DescribeInstances', 'DescribeOrganization', 'DescribeParameters',
                    'DescribeRepositories', 'DescribeSecurityGroups', 'DescribeSnapshots', 'DescribeStacks', 'DescribeTrails', 'DescribeVpcs',
                    'GetAccountAuthorizationDetails', 'GetAccountSummary', 'GetDatabases', 'GetSendQuota', 'ListAccessKeys', 'ListAccounts', 'ListBuckets',
                    'ListClusters', 'ListDetectors', 'ListDomainNames', 'ListFoundationModels', 'ListFunctions20150331', 'ListHostedZones',
                    'ListHostedZones20130401', 'ListIdentities', 'ListInstanceProfiles', 'ListJobs', 'ListKeys', 'ListNotebookInstances', 'ListProjects',
                    'ListQueues', 'ListRepositories', 'ListRoles', 'ListSecrets', 'ListStacks', 'ListStateMachines', 'ListTables', 'ListTopics', 'ListUsers')
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, is_by_hand_or_script(), hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT eventSource) >= 12
    -- an instance that asks who there is, and what watches, does it for who got into it
    OR count(DISTINCT eventSource) FILTER (WHERE userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL AND coalesce(userAgent, '') NOT LIKE '%Terraform%') >= 5
       AND count(DISTINCT eventName) FILTER (WHERE eventSource = 'iam.amazonaws.com') >= 2
    -- a key that asks of much, and is refused, is in hands that do not know what it is for
    OR count(DISTINCT eventSource) FILTER (WHERE userIdentity.accessKeyId LIKE 'AKIA%' AND coalesce(userAgent, '') NOT LIKE '%Terraform%') >= 8
       AND count(*) FILTER (WHERE errorCode IS NOT NULL) >= 2
