-- title           = "Password in a directory or user pool was set by an administrator's call"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.persistence", "attack.t1098", "attack.t1078"]
-- remedy          = "Ask whoever made the call and the user; end the user's sessions if neither knows of it."
-- false_positives = "A help desk at work."
SELECT eventTime,
       eventName,
       eventSource,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'directoryId', requestParameters ->> 'userPoolId', requestParameters ->> 'organizationId') AS resource
FROM cloudtrail
WHERE eventSource IN ('ds.amazonaws.com', 'cognito-idp.amazonaws.com', 'workmail.amazonaws.com')
  AND eventName IN ('ResetUserPassword', 'AdminSetUserPassword', 'ResetPassword', 'AdminSetUserMFAPreference')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
