-- title           = "Person let a distribution run other code at the edge"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.collection", "attack.t1491.002", "attack.t1185"]
-- remedy          = "Compare the distribution with the reviewed one; the code sees each request. Take it off if nobody claims it."
-- false_positives = "Developers at work."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'id' AS resource
FROM cloudtrail
WHERE eventSource = 'cloudfront.amazonaws.com'
  AND eventName IN ('UpdateDistribution', 'UpdateDistribution2020_05_31')
  AND regexp_like(requestParameters, '"(lambdaFunctionAssociations|functionAssociations)"\s*:\s*[{][^{}]*"quantity"\s*:\s*[1-9]|"lambdaFunctionARN"')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT regexp_like(coalesce(userAgent, ''), 'Terraform|OpenTofu|Pulumi|aws-cdk|aws-sam-cli')
  AND (userIdentity.type IN ('IAMUser', 'Root', 'FederatedUser')
       OR userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%'
       OR sessionCredentialFromConsole
       -- or the role of a person: with MFA, or on a workstation
       OR userIdentity.sessionContext.attributes.mfaAuthenticated = 'true'
       OR regexp_like(coalesce(userAgent, ''), '(?i)macos|darwin|windows|cloudshell'))
