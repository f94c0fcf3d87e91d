-- title    = "Member was added to an administrators' group of a directory"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.t1098", "attack.privilege_escalation", "attack.t1098.007"]
-- remedy   = "Ask who administers the directory; take the member out, and see where it signed in."
SELECT eventTime,
       eventName,
       requestParameters ->> 'memberName' AS member,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'groupName' AS resource
FROM cloudtrail
WHERE eventSource = 'ds-data.amazonaws.com'
  AND eventName = 'AddGroupMember'
  AND regexp_like(requestParameters ->> 'groupName', '(?i)admin')
  AND errorCode IS NULL
