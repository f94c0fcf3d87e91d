-- title           = "Configuration of many functions, tasks, stacks or templates was read"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.discovery", "attack.t1552", "attack.t1552.001", "attack.t1526"]
-- remedy          = "Ask what for. Variables and user data hold passwords and keys: rotate those of what was read if nobody can say."
-- false_positives = "Inventories that a person runs."
SELECT userIdentity.arn AS who,
       count(DISTINCT coalesce(requestParameters ->> 'functionName', requestParameters ->> 'taskDefinition', requestParameters ->> 'stackName', requestParameters ->> 'applicationName', requestParameters ->> 'names', json_get_str(requestParameters, 'DescribeLaunchTemplateVersionsRequest', 'LaunchTemplateId'))) AS things,
       sample(coalesce(requestParameters ->> 'functionName', requestParameters ->> 'taskDefinition', requestParameters ->> 'stackName', requestParameters ->> 'applicationName', requestParameters ->> 'names', json_get_str(requestParameters, 'DescribeLaunchTemplateVersionsRequest', 'LaunchTemplateId'))) AS some_of_them,
       sample(eventName) AS calls,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(userIdentity.arn) AS resource
FROM cloudtrail
WHERE eventSource IN ('lambda.amazonaws.com', 'ecs.amazonaws.com', 'cloudformation.amazonaws.com', 'ec2.amazonaws.com', 'codebuild.amazonaws.com', 'elasticbeanstalk.amazonaws.com')
  AND eventName IN ('GetFunction20150331v2', 'GetFunctionConfiguration20150331v2', 'DescribeTaskDefinition', 'GetTemplate', 'DescribeLaunchTemplateVersions', 'BatchGetProjects', 'DescribeConfigurationSettings')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND sessionCredentialFromConsole IS NOT TRUE
  AND coalesce(userAgent, '') NOT LIKE '%Terraform%'
  -- no pipeline asks so much at a command line
  AND (is_person()
       OR userAgent LIKE 'aws-cli/%'
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT coalesce(requestParameters ->> 'functionName', requestParameters ->> 'taskDefinition', requestParameters ->> 'stackName', requestParameters ->> 'applicationName', requestParameters ->> 'names', json_get_str(requestParameters, 'DescribeLaunchTemplateVersionsRequest', 'LaunchTemplateId'))) >= 20
