-- title           = "Person added a user to IAM Identity Center or to a group of it by hand"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1136.003", "attack.t1098.003"]
-- remedy          = "Ask who was let in and why the directory does not say so. Take the user out if nobody claims it, and revoke its sessions."
-- false_positives = "Small companies that keep their users in Identity Center."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters ->> 'groupId' AS into_group,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'userName', requestParameters ->> 'memberId', responseElements ->> 'userId', account) AS resource
FROM cloudtrail
WHERE eventSource IN ('sso-directory.amazonaws.com', 'identitystore.amazonaws.com')
  AND eventName IN ('CreateUser', 'AddMemberToGroup', 'CreateGroupMembership')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand_or_script()
