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
       coalesce(requestParameters ->> 'clusterIdentifier', requestParameters ->> 'fileSystemId', requestParameters ->> 'loadBalancerArn', requestParameters ->> 'loadBalancerName', requestParameters ->> 'id', requestParameters ->> 'restApiId', requestParameters ->> 'dBInstanceIdentifier', requestParameters ->> 'dBClusterIdentifier', requestParameters ->> 'resourceArn', requestParameters ->> 'directoryId', requestParameters ->> 'name', requestParameters ->> 'brokerId', requestParameters ->> 'broker-id', requestParameters ->> 'serverId', account) AS resource,
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
            ELSE 'Real-time log of a distribution was deleted' END AS title
FROM cloudtrail
WHERE eventSource IN ('redshift.amazonaws.com', 'elasticloadbalancing.amazonaws.com', 'apigateway.amazonaws.com', 'rds.amazonaws.com', 'ds.amazonaws.com', 'cloudfront.amazonaws.com', 'mq.amazonaws.com', 'transfer.amazonaws.com', 'fsx.amazonaws.com')
  AND eventName IN ('DisableLogging', 'ModifyLoadBalancerAttributes', 'UpdateStage', 'StopActivityStream', 'ModifyDBInstance', 'ModifyDBCluster', 'DeleteLogSubscription', 'DeleteRealtimeLogConfig', 'DeleteRealtimeLogConfig2020_05_31', 'UpdateBroker', 'UpdateServer', 'UpdateFileSystem')
  AND (eventName IN ('DisableLogging', 'StopActivityStream', 'DeleteLogSubscription', 'DeleteRealtimeLogConfig', 'DeleteRealtimeLogConfig2020_05_31')
       OR requestParameters -> 'logs' ->> 'audit' = 'false'
       OR json_get_str(requestParameters, 'windowsConfiguration', 'auditLogConfiguration', 'fileAccessAuditLogLevel') = 'DISABLED'
       OR requestParameters ->> 'loggingRole' = '' AND NOT json_exists(requestParameters, 'structuredLogDestinations')
       OR json_length(requestParameters, 'cloudwatchLogsExportConfiguration', 'disableLogTypes') >= 1
       OR regexp_like(requestParameters, '"access_logs\.s3\.enabled"\s*,\s*"value"\s*:\s*"false"|"accessLog"\s*:\s*[{]\s*"enabled"\s*:\s*false')
       OR regexp_like(requestParameters, '"remove"\s*,\s*"path"\s*:\s*"/accessLogSettings'))
  AND coalesce(userAgent, '') NOT LIKE '%Terraform%'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
