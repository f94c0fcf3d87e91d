-- title           = "Events, logs, data or images were connected to another account"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventName"]
-- tags            = ["attack.exfiltration", "attack.t1537", "attack.t1020"]
-- remedy          = "Find out whose account it is. If it is none of yours: take the connection down, and count what went there since as lost."
-- false_positives = "Accounts of the organization that gather events, logs or images."
SELECT eventTime,
       eventName,
       requestParameters AS connection,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'topicArn', requestParameters ->> 'rule', requestParameters ->> 'Name', requestParameters ->> 'domainName', requestParameters ->> 'sourceArn', requestParameters ->> 'portfolioId', requestParameters ->> 'name', requestParameters ->> 'sinkIdentifier', requestParameters ->> 'subscriberName', requestParameters ->> 'authorizedAccountId') AS resource,
       CASE WHEN eventName = 'Subscribe' THEN 'Topic was subscribed to from another account'
            WHEN eventName = 'PutTargets' THEN 'Events are sent to another account'
            WHEN eventName IN ('CreatePipe', 'UpdatePipe') THEN 'Pipe reads from or writes to another account'
            WHEN eventName = 'CreateLink' THEN 'Logs and metrics are shared with another account'
            WHEN eventName = 'CreatePortfolioShare' THEN 'Portfolio of Service Catalog was shared with another account'
            WHEN eventName = 'AuthorizeVpcEndpointAccess' THEN 'Search domain was opened to endpoints of another account'
            WHEN eventName = 'CreateIntegration' THEN 'Database or table is replicated into another account'
            WHEN eventName IN ('CreateDistributionConfiguration', 'UpdateDistributionConfiguration') THEN 'Machine images are distributed to another account'
            WHEN eventName = 'TransferCertificate' THEN 'Certificate of a device was transferred to another account'
            WHEN eventName = 'PutFunctionEventInvokeConfig' THEN 'Results of a function are sent to another account'
            WHEN eventName IN ('CreateSubscriber', 'UpdateSubscriber') THEN 'Security Lake was opened to another account'
            WHEN eventName = 'PutAggregationAuthorization' THEN 'Another account may gather what AWS Config records'
            WHEN eventName = 'StartMessageMoveTask' THEN 'Messages of a queue are moved to another account'
            WHEN eventName IN ('CreateProvisioningTemplate', 'CreateAuthorizer', 'UpdateAuthorizer') THEN 'Function of another account decides which devices are let in'
            WHEN eventName LIKE '%ForObjectLambda' THEN 'Objects are read through a function of another account'
            ELSE 'Athena was made to ask a function of another account' END AS title
FROM cloudtrail
WHERE eventSource IN ('sns.amazonaws.com', 'events.amazonaws.com', 'pipes.amazonaws.com', 'oam.amazonaws.com', 'servicecatalog.amazonaws.com', 'es.amazonaws.com', 'rds.amazonaws.com', 'redshift.amazonaws.com', 'imagebuilder.amazonaws.com', 'iot.amazonaws.com', 'lambda.amazonaws.com',
                      'securitylake.amazonaws.com', 'config.amazonaws.com', 'athena.amazonaws.com', 'glue.amazonaws.com', 'sqs.amazonaws.com', 's3.amazonaws.com')
  AND eventName IN ('Subscribe', 'PutTargets', 'CreatePipe', 'UpdatePipe', 'CreateLink', 'CreatePortfolioShare', 'AuthorizeVpcEndpointAccess', 'CreateIntegration', 'CreateDistributionConfiguration', 'UpdateDistributionConfiguration', 'TransferCertificate', 'PutFunctionEventInvokeConfig',
                    'CreateSubscriber', 'UpdateSubscriber', 'PutAggregationAuthorization', 'CreateDataCatalog', 'UpdateDataCatalog', 'StartMessageMoveTask', 'CreateProvisioningTemplate', 'CreateAuthorizer', 'UpdateAuthorizer',
                    'CreateAccessPointForObjectLambda', 'PutAccessPointConfigurationForObjectLambda')
  AND regexp_like(without_own(requestParameters, account), '(?i)"(endpoint|arn|target|source|destination|sinkIdentifier|targetArn|targetAwsAccount|accountId|account|principal|authorizedAccountId|(metadata-|record-)?function|functionArn|destinationArn|authorizerFunctionArn)"\s*:\s*"(arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:|[0-9]{12}")|"(userIds|targetAccountIds)"\s*:\s*\[\s*"[0-9]{12}"')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
