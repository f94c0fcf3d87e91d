-- title           = "Log of a load balancer, API, warehouse, database or directory was turned off"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventSource"]
-- tags            = ["attack.defense_evasion", "attack.t1562.008"]
-- remedy          = "Turn the log on again; requests since then are told of nowhere."
-- false_positives = "Test environments."
SELECT eventTime,
       eventName,
       eventSource,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'clusterIdentifier', requestParameters ->> 'fileSystemId', requestParameters ->> 'loadBalancerArn', requestParameters ->> 'loadBalancerName', requestParameters ->> 'id', requestParameters ->> 'restApiId', requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier', requestParameters ->> 'resourceArn', requestParameters ->> 'directoryId', requestParameters ->> 'name', requestParameters ->> 'brokerId', requestParameters ->> 'broker-id', requestParameters ->> 'serverId', requestParameters ->> 'acceleratorArn', requestParameters ->> 'domainName', requestParameters -> 'ModifyClientVpnEndpointRequest' ->> 'ClientVpnEndpointId', account) AS resource,
       -- controllers of clusters say again and again what is so
       CASE WHEN eventName = 'ModifyLoadBalancerAttributes'
                 AND NOT is_by_hand() THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN eventSource = 'redshift.amazonaws.com' THEN 'Audit log of a data warehouse was turned off'
            WHEN eventSource = 'elasticloadbalancing.amazonaws.com' THEN 'Access log of a load balancer was turned off'
            WHEN eventSource = 'apigateway.amazonaws.com' THEN 'Access log of an API was turned off'
            WHEN eventSource = 'rds.amazonaws.com' THEN 'Activity stream or exported log of a database was turned off'
            WHEN eventSource = 'ds.amazonaws.com' THEN 'Log of a directory was turned off'
            WHEN eventSource = 'mq.amazonaws.com' THEN 'Audit log of a message broker was turned off'
            WHEN eventSource = 'transfer.amazonaws.com' THEN 'Log of a file server was turned off'
            WHEN eventSource = 'fsx.amazonaws.com' THEN 'Audit log of a file system was turned off'
            WHEN eventSource = 'globalaccelerator.amazonaws.com' THEN 'Flow log of an accelerator was turned off'
            WHEN eventSource = 'ec2.amazonaws.com' THEN 'Connection log of a VPN endpoint was turned off'
            WHEN eventSource = 'es.amazonaws.com' THEN 'Audit log of a search domain was turned off'
            ELSE 'Real-time log of a distribution was deleted' END AS title
FROM cloudtrail
WHERE eventSource IN ('redshift.amazonaws.com', 'elasticloadbalancing.amazonaws.com', 'apigateway.amazonaws.com', 'rds.amazonaws.com', 'ds.amazonaws.com', 'cloudfront.amazonaws.com', 'mq.amazonaws.com', 'transfer.amazonaws.com', 'fsx.amazonaws.com',
                      'globalaccelerator.amazonaws.com', 'ec2.amazonaws.com', 'es.amazonaws.com')
  AND eventName IN ('DisableLogging', 'ModifyLoadBalancerAttributes', 'UpdateStage', 'StopActivityStream', 'ModifyDBInstance', 'ModifyDBCluster', 'DeleteLogSubscription', 'DeleteRealtimeLogConfig', 'DeleteRealtimeLogConfig2020_05_31', 'UpdateBroker', 'UpdateServer', 'UpdateFileSystem',
                    'UpdateAccount', 'UpdateAcceleratorAttributes', 'ModifyClientVpnEndpoint', 'UpdateDomainConfig', 'UpdateElasticsearchDomainConfig')
  AND (eventName IN ('DisableLogging', 'StopActivityStream', 'DeleteLogSubscription', 'DeleteRealtimeLogConfig', 'DeleteRealtimeLogConfig2020_05_31')
       OR requestParameters -> 'logs' ->> 'audit' = 'false'
       OR json_get_str(requestParameters, 'windowsConfiguration', 'auditLogConfiguration', 'fileAccessAuditLogLevel') = 'DISABLED'
       OR requestParameters ->> 'loggingRole' = '' AND NOT json_exists(requestParameters, 'structuredLogDestinations')
       OR json_length(requestParameters, 'cloudwatchLogsExportConfiguration', 'disableLogTypes') >= 1
       OR regexp_like(requestParameters, '"access_logs\.s3\.enabled"\s*,\s*"value"\s*:\s*"false"|"accessLog"\s*:\s*[{]\s*"enabled"\s*:\s*false')
       OR regexp_like(requestParameters, '"remove"\s*,\s*"path"\s*:\s*"/accessLogSettings')
       -- the role in which all APIs of the Region write their logs
       OR eventName = 'UpdateAccount'
          AND regexp_like(requestParameters, '"path"\s*:\s*"/cloudwatchRoleArn"')
          AND NOT regexp_like(requestParameters, ':role/')
       OR requestParameters ->> 'flowLogsEnabled' = 'false'
       OR requestParameters -> 'logPublishingOptions' -> 'AUDIT_LOGS' ->> 'enabled' = 'false'
       OR requestParameters -> 'ModifyClientVpnEndpointRequest' -> 'ConnectionLogOptions' ->> 'Enabled' = 'false')
  AND coalesce(userAgent, '') NOT LIKE '%Terraform%'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
