-- title           = "Code repository was connected, or its credentials set, by hand"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.initial_access", "attack.t1199", "attack.t1195.002", "attack.t1554"]
-- remedy          = "Ask who owns the repository: what it holds runs in your pipelines. Delete the connection if nobody claims it."
-- false_positives = "Developers who set up a pipeline by hand."
SELECT eventTime,
       eventName,
       requestParameters ->> 'providerType' AS provider,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'connectionName', requestParameters ->> 'name', requestParameters ->> 'appId') AS resource
FROM cloudtrail
WHERE eventSource IN ('codeconnections.amazonaws.com', 'codestar-connections.amazonaws.com', 'amplify.amazonaws.com')
  AND eventName IN ('CreateConnection', 'CreateHost', 'UpdateApp')
  AND (eventName <> 'UpdateApp'
       OR json_contains(requestParameters, 'repository'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
