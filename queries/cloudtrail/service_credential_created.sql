-- title    = "Service-specific credential was created for an IAM user"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.t1098.001"]
-- remedy   = "Check with the owner of the user. It is a password or API key that works without signing and outlives a rotation of access keys: delete it if unknown."
SELECT eventTime, eventName,
       requestParameters ->> 'serviceName' AS service,
       coalesce(requestParameters ->> 'userName', userIdentity.userName) AS for_user,
       sourceIPAddress, userAgent,
       'user/' || coalesce(requestParameters ->> 'userName', userIdentity.userName) AS resource,
       CASE WHEN coalesce(requestParameters ->> 'userName', userIdentity.userName) = userIdentity.userName THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreateServiceSpecificCredential', 'ResetServiceSpecificCredential')
  AND errorCode IS NULL
