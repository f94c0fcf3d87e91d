-- title           = "Events, logs, data or images were connected to another account"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.t1537", "attack.t1020"]
-- remedy          = "Find out whose account it is. If it is none of yours: take the connection down, and count what went there since as lost."
-- false_positives = "Accounts of the organization that gather events, logs or images."
SELECT eventTime,
       eventName,
       requestParameters AS connection,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'topicArn', requestParameters ->> 'rule', requestParameters ->> 'Name', requestParameters ->> 'domainName', requestParameters ->> 'sourceArn', requestParameters ->> 'portfolioId', requestParameters ->> 'name') AS resource
FROM cloudtrail
WHERE eventSource IN ('sns.amazonaws.com', 'events.amazonaws.com', 'pipes.amazonaws.com', 'oam.amazonaws.com', 'servicecatalog.amazonaws.com', 'es.amazonaws.com', 'rds.amazonaws.com', 'redshift.amazonaws.com', 'imagebuilder.amazonaws.com', 'iot.amazonaws.com', 'lambda.amazonaws.com',
                      'securitylake.amazonaws.com', 'config.amazonaws.com', 'athena.amazonaws.com', 'glue.amazonaws.com')
  AND eventName IN ('Subscribe', 'PutTargets', 'CreatePipe', 'UpdatePipe', 'CreateLink', 'CreatePortfolioShare', 'AuthorizeVpcEndpointAccess', 'CreateIntegration', 'CreateDistributionConfiguration', 'UpdateDistributionConfiguration', 'TransferCertificate', 'PutFunctionEventInvokeConfig',
                    'CreateSubscriber', 'UpdateSubscriber', 'PutAggregationAuthorization', 'CreateDataCatalog', 'UpdateDataCatalog')
  AND regexp_like(replace(requestParameters, account, ''), '(?i)"(endpoint|arn|target|source|destination|sinkIdentifier|targetArn|targetAwsAccount|accountId|account|principal|authorizedAccountId|(metadata-|record-)?function)"\s*:\s*"(arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:|[0-9]{12}")|"(userIds|targetAccountIds)"\s*:\s*\[\s*"[0-9]{12}"')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
