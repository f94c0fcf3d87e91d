-- title           = "Definitions or histories of many state machines were read"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.discovery", "attack.credential_access", "attack.t1526", "attack.t1552", "attack.t1213"]
-- remedy          = "Ask the owner of the principal. If nobody can say: look for keys and passwords in the definitions and in the inputs and outputs of the executions that were read, and rotate them."
-- false_positives = "Inventories that a person runs."
-- description     = "Histories hold what goes in and comes out of each step, tokens and customers' data among it; definitions name the roles, functions and jobs that may be turned."
SELECT userIdentity.arn AS who,
       count(DISTINCT coalesce(requestParameters ->> 'stateMachineArn', requestParameters ->> 'executionArn')) AS things,
       sample(coalesce(requestParameters ->> 'stateMachineArn', requestParameters ->> 'executionArn')) AS resource,
       sample(eventName) AS calls,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses
FROM cloudtrail
WHERE eventSource = 'states.amazonaws.com'
  AND regexp_like(eventName, '^(DescribeStateMachine|DescribeStateMachineForExecution|DescribeExecution|GetExecutionHistory)$')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND sessionCredentialFromConsole IS NOT TRUE
  AND NOT regexp_like(coalesce(userAgent, ''), 'Terraform|OpenTofu|Pulumi|aws-cdk|aws-sam-cli|^Mozilla/')
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT coalesce(requestParameters ->> 'stateMachineArn', requestParameters ->> 'executionArn')) >= 15
