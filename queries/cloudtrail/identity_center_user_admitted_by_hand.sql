-- title           = "Person added a user to IAM Identity Center or to a group of it by hand"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1136.003", "attack.t1098.003"]
-- remedy          = "Ask who was let in and why the directory does not say so. Take the user out if nobody claims it, and revoke its sessions."
-- false_positives = "Small companies that keep their users in Identity Center: low for who does so on a third day of a week from the same network."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters ->> 'groupId' AS into_group,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN days >= 3 THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || coalesce(requestParameters ->> 'userName', requestParameters ->> 'memberId', responseElements ->> 'userId', account)) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource IN ('sso-directory.amazonaws.com', 'identitystore.amazonaws.com')
        AND eventName IN ('CreateUser', 'AddMemberToGroup', 'CreateGroupMembership')
        AND userIdentity.invokedBy IS NULL
        AND NOT is_infrastructure_tool()
        AND is_by_hand_or_script()
      WINDOW week AS (PARTITION BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), eventName, requestParameters ->> 'groupId',
                                 -- who stole the session is elsewhere
                                 regexp_replace(sourceIPAddress, '^([0-9]+[.][0-9]+|[0-9a-f]+:[0-9a-f]+)[.:].*$', '\1'), errorCode IS NULL
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL
