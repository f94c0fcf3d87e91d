-- title           = "Data mover was connected to a place outside AWS, or a public file server made"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventName"]
-- tags            = ["attack.exfiltration", "attack.t1048", "attack.t1567.002", "attack.t1537"]
-- remedy          = "Ask the owner whose place it is. If nobody knows: delete the location or server, and see which tasks ran."
-- false_positives = "Migrations, and file servers for partners."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'containerUrl', requestParameters ->> 'serverHostname', requestParameters ->> 'url', requestParameters ->> 'endpointType') AS place,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements ->> 'locationArn', responseElements ->> 'connectorId', responseElements ->> 'serverId', requestParameters ->> 'serverId', requestParameters ->> 'serverHostname', account) AS resource,
       CASE WHEN eventName IN ('CreateLocationAzureBlob', 'CreateLocationObjectStorage') THEN 'DataSync was connected to a place outside AWS'
            WHEN eventName = 'CreateConnector' THEN 'Transfer Family was connected to a server of others'
            ELSE 'Public file server was made' END AS title
FROM cloudtrail
WHERE eventSource IN ('datasync.amazonaws.com', 'transfer.amazonaws.com')
  AND eventName IN ('CreateLocationAzureBlob', 'CreateLocationObjectStorage', 'CreateConnector', 'CreateServer', 'UpdateServer')
  AND (eventName <> 'CreateServer' AND eventName <> 'UpdateServer'
       OR requestParameters ->> 'endpointType' = 'PUBLIC'
       OR eventName = 'CreateServer' AND requestParameters ->> 'endpointType' IS NULL)
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
