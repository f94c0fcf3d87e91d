-- title           = "Service that moves data out in bulk was set up by hand"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.collection", "attack.t1537", "attack.t1048", "attack.t1020"]
-- remedy          = "Find out where the data go (the location, endpoint or user of it); stop the task and delete it if nobody claims it."
-- false_positives = "Migrations."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS what,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'destinationLocationArn', requestParameters ->> 'serverId', requestParameters ->> 'endpointIdentifier', requestParameters ->> 'flowName', responseElements ->> 'serverId', responseElements ->> 'locationArn', responseElements ->> 'taskArn', requestParameters ->> 'replicationTaskIdentifier', requestParameters ->> 'connectorId', requestParameters ->> 'sourceLocationArn', requestParameters ->> 'userName', requestParameters ->> 'name', account) AS resource,
       -- data_mover_reaches_outside tells it
       CASE WHEN eventSource = 'transfer.amazonaws.com' AND eventName = 'CreateServer' AND coalesce(requestParameters ->> 'endpointType', 'PUBLIC') = 'PUBLIC' THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource IN ('datasync.amazonaws.com', 'transfer.amazonaws.com', 'dms.amazonaws.com', 'appflow.amazonaws.com', 'snowball.amazonaws.com', 's3.amazonaws.com', 'storagegateway.amazonaws.com')
  AND eventName IN ('CreateTask', 'StartTaskExecution', 'CreateServer', 'CreateUser', 'ImportSshPublicKey', 'CreateEndpoint', 'CreateFlow', 'CreateJob', 'CreateNFSFileShare', 'CreateSMBFileShare', 'CreateAccess')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND (eventSource = 'snowball.amazonaws.com'
       OR eventName IN ('CreateFlow', 'CreateEndpoint')
       OR is_person()
       -- a robot starts its task every night
       OR eventName <> 'StartTaskExecution'
          AND is_by_hand())
