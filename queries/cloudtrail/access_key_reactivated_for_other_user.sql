-- title    = "Inactive access key of another IAM user was activated again"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.t1098.001"]
-- remedy   = "Find out why the key had been inactive. Deactivate it again unless its owner asked for it, and look for calls made with it since."
SELECT eventTime,
       requestParameters ->> 'userName' AS of_user,
       requestParameters ->> 'accessKeyId' AS access_key,
       sourceIPAddress, userAgent,
       'user/' || (requestParameters ->> 'userName') AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'UpdateAccessKey'
  AND requestParameters ->> 'status' = 'Active'
  AND requestParameters ->> 'userName' IS NOT NULL
  AND (requestParameters ->> 'userName' IS DISTINCT FROM userIdentity.userName)
  AND errorCode IS NULL
