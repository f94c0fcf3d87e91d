-- title           = "Jobs, connections, catalog and settings of Glue were gone through by one principal"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.discovery", "attack.t1526", "attack.t1580", "attack.t1619"]
-- remedy          = "Ask the owner of the principal. If nobody can say: look for keys in the arguments of jobs and in connections, and watch for UpdateJob, StartJobRun and CreateDevEndpoint."
-- false_positives = "Inventories that a person runs."
SELECT userIdentity.arn AS who,
       count(DISTINCT eventName) AS apis,
       sample(eventName) AS calls,
       count(*) FILTER (WHERE errorCode IS NOT NULL) AS refused,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(userIdentity.arn) AS resource
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND regexp_like(eventName, '^(GetJobs|ListJobs|GetConnections|GetDatabases|GetTables|SearchTables|GetDevEndpoints|ListDevEndpoints|ListSessions|GetSecurityConfigurations|GetDataCatalogEncryptionSettings|GetResourcePolicy|GetResourcePolicies|GetCrawlers|ListCrawlers|GetTriggers|ListTriggers|ListWorkflows|GetCatalogs)$')
  AND userIdentity.invokedBy IS NULL
  AND sessionCredentialFromConsole IS NOT TRUE
  AND NOT regexp_like(coalesce(userAgent, ''), 'Terraform|OpenTofu|Pulumi|aws-cdk|aws-sam-cli|^Mozilla/')
  -- no pipeline asks so much at a command line
  AND (is_person()
       OR userAgent LIKE 'aws-cli/%'
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT eventName) >= 5
