-- title           = "Key or link into Airflow, Grafana or AppSync, or an administrator of QuickSight, was made by a person"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.persistence", "attack.t1098.001", "attack.lateral_movement", "attack.t1550.001"]
-- remedy          = "Ask the person. With the link or key the application is used without AWS credentials: what runs there has the rights of its role. Delete the key if nobody claims it."
-- false_positives = "Whoever sets the application up (a key of AppSync is low); links of the console are left out."
SELECT eventTime,
       eventName,
       eventSource,
       coalesce(requestParameters ->> 'keyName', requestParameters ->> 'name', requestParameters ->> 'description') AS what,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'workspaceId', requestParameters ->> 'instanceId', requestParameters ->> 'apiId', requestParameters ->> 'name', requestParameters ->> 'Name', requestParameters ->> 'email', requestParameters ->> 'brokerId', requestParameters ->> 'broker-id', account) AS resource,
       CASE WHEN eventSource = 'mq.amazonaws.com' THEN 'User of a message broker was made by a person'
            WHEN eventName IN ('UpdateWorkspaceAuthentication', 'UpdatePermissions') THEN 'Who may enter Grafana was changed by a person'
            WHEN eventName = 'UpdateUser' THEN 'User of QuickSight was made administrator by a person'
            WHEN eventName = 'InvokeRestApi' THEN 'Airflow was told by a person what to run'
            WHEN eventSource = 'connect.amazonaws.com' THEN 'Emergency access to a contact center was taken by a person'
            ELSE 'Key or link into Airflow, Grafana or AppSync, or an administrator of QuickSight, was made by a person' END AS title,
       CASE WHEN eventSource = 'appsync.amazonaws.com' THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource IN ('airflow.amazonaws.com', 'grafana.amazonaws.com', 'appsync.amazonaws.com', 'quicksight.amazonaws.com', 'mq.amazonaws.com', 'connect.amazonaws.com')
  AND eventName IN ('CreateWebLoginToken', 'CreateCliToken', 'CreateWorkspaceApiKey', 'CreateWorkspaceServiceAccountToken', 'CreateApiKey', 'RegisterUser', 'CreateUser', 'UpdateWorkspaceAuthentication', 'UpdatePermissions', 'InvokeRestApi', 'AdminGetEmergencyAccessToken', 'UpdateUser')
  AND (eventName <> 'RegisterUser'
       OR requestParameters ->> 'userRole' LIKE 'ADMIN%')
  AND (eventName <> 'UpdateUser'
       OR eventSource = 'quicksight.amazonaws.com'
          AND requestParameters ->> 'role' LIKE 'ADMIN%')
  AND (eventName <> 'CreateUser'
       OR eventSource = 'mq.amazonaws.com')
  AND (eventName <> 'UpdatePermissions'
       OR regexp_like(requestParameters, '"action"\s*:\s*"ADD"[^{}]*"role"\s*:\s*"ADMIN"'))
  -- what Airflow is asked
  AND lower(coalesce(requestParameters ->> 'Method', requestParameters ->> 'method', '')) <> 'get'
  AND (eventSource NOT IN ('airflow.amazonaws.com', 'quicksight.amazonaws.com')
       OR sessionCredentialFromConsole IS NOT TRUE)
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
