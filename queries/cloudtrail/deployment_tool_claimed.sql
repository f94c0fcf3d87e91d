-- title           = "Change was made in the name of AWS CDK or SAM that they leave to CloudFormation"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1036"]
-- remedy          = "Ask the owner of the principal whether CDK or SAM ran there then. A user agent is what the caller writes: if nobody ran it, disable the key or revoke the sessions, and read what was changed."
-- false_positives = "Scripts of your own that call themselves so: suppress the principal."
-- description     = "CDK and SAM have CloudFormation make what they deploy. By themselves they upload assets, and swap code of functions, containers and the like while somebody develops. A change of another service with their user agent was made by something else, which hides from rules that leave them alone."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS what,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, userIdentity.arn) AS resource
FROM cloudtrail
WHERE regexp_like(userAgent, 'aws-cdk|aws-sam-cli')
  AND readOnly IS FALSE
  AND managementEvent IS TRUE
  AND userIdentity.invokedBy IS NULL
  AND errorCode IS NULL
  -- signing in; stacks and their assets; what is swapped or started while somebody develops
  AND NOT regexp_like(eventSource, '^(sts|sso|sso-oauth|signin|cloudformation|ecr|signer|lambda|states|ecs|codebuild|appsync|apigateway|bedrock-agentcore|schemas)[.]')
