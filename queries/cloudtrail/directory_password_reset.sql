-- title           = "Password in a directory or user pool was set by an administrator's call"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.persistence", "attack.t1098", "attack.t1078"]
-- remedy          = "Ask whoever made the call and the user; end the user's sessions if neither knows of it."
-- false_positives = "A help desk at work: low for who does so on a third day of a week from the same network."
SELECT eventTime,
       eventName,
       eventSource,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN days >= 3 THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || coalesce(requestParameters ->> 'directoryId', requestParameters ->> 'userPoolId', requestParameters ->> 'organizationId')) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource IN ('ds.amazonaws.com', 'cognito-idp.amazonaws.com', 'workmail.amazonaws.com')
        AND eventName IN ('ResetUserPassword', 'AdminSetUserPassword', 'ResetPassword', 'AdminSetUserMFAPreference')
        AND userIdentity.invokedBy IS NULL
        AND NOT is_infrastructure_tool()
        AND is_by_hand()
      WINDOW week AS (PARTITION BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), eventName = 'AdminSetUserMFAPreference',
                                 -- who stole the session is elsewhere
                                 regexp_replace(sourceIPAddress, '^([0-9]+[.][0-9]+|[0-9a-f]+:[0-9a-f]+)[.:].*$', '\1'), errorCode IS NULL
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL
