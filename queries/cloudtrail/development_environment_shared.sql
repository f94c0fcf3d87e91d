-- title           = "Cloud9 environment was opened to another user"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.lateral_movement", "attack.t1098", "attack.t1021.007"]
-- remedy          = "Take the member off if nobody claims it: it has a shell with the owner's rights."
-- false_positives = "Colleagues who write code together."
SELECT eventTime,
       eventName,
       requestParameters ->> 'userArn' AS opened_to,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'environmentId' AS resource
FROM cloudtrail
WHERE eventSource = 'cloud9.amazonaws.com'
  AND eventName IN ('CreateEnvironmentMembership', 'UpdateEnvironmentMembership')
  AND requestParameters ->> 'permissions' = 'read-write'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
