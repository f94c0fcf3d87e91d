-- title           = "Recording of sessions on instances or in containers was changed or switched off"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventSource"]
-- tags            = ["attack.defense_evasion", "attack.t1562.008", "attack.t1562.001"]
-- remedy          = "Compare the preferences with what they should be: whether sessions are logged and where, and as whom they run. Read what sessions there were since."
-- false_positives = "Whoever sets up Session Manager."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'content', requestParameters ->> 'configuration') AS preferences,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'name', requestParameters ->> 'cluster', requestParameters ->> 'clusterName') AS resource,
       CASE WHEN eventSource = 'ssm.amazonaws.com' THEN 'Recording of sessions on instances was changed or removed'
            ELSE 'Recording of commands in containers was switched off' END AS title
FROM cloudtrail
WHERE eventSource IN ('ssm.amazonaws.com', 'ecs.amazonaws.com')
  AND eventName IN ('UpdateDocument', 'DeleteDocument', 'UpdateCluster', 'CreateCluster')
  AND (requestParameters ->> 'name' = 'SSM-SessionManagerRunShell'
       OR json_get_str(requestParameters, 'configuration', 'executeCommandConfiguration', 'logging') = 'NONE')
  AND errorCode IS NULL
