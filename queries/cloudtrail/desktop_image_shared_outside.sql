-- title    = "Image of a desktop or streaming fleet was shared with another account"
-- severity = "medium"
-- tags     = ["attack.exfiltration", "attack.t1537"]
-- remedy   = "Check that the account is yours; take the permission back if not, and rotate the credentials that are in the image."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'sharedAccountId', requestParameters ->> 'SharedAccountId') AS shared_with,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'imageId', requestParameters ->> 'name') AS resource
FROM cloudtrail
WHERE eventSource IN ('workspaces.amazonaws.com', 'appstream.amazonaws.com')
  AND eventName IN ('UpdateWorkspaceImagePermission', 'UpdateImagePermissions')
  AND without_own(coalesce(requestParameters ->> 'sharedAccountId', requestParameters ->> 'SharedAccountId'), account) <> ''
  AND coalesce(requestParameters ->> 'allowCopyImage', 'true') = 'true'
  AND errorCode IS NULL
