-- title           = "Keys or passwords of Lightsail were fetched outside of the console"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.lateral_movement", "attack.t1552", "attack.t1555", "attack.t1021.004"]
-- remedy          = "Ask who needs them; change the default key pair and the passwords if nobody can say."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'instanceName', requestParameters ->> 'relationalDatabaseName', requestParameters ->> 'bucketName', account) AS resource
FROM cloudtrail
WHERE eventSource = 'lightsail.amazonaws.com'
  AND eventName IN ('DownloadDefaultKeyPair', 'GetInstanceAccessDetails', 'GetRelationalDatabaseMasterUserPassword', 'GetBucketAccessKeys')
  AND sessionCredentialFromConsole IS NOT TRUE
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
