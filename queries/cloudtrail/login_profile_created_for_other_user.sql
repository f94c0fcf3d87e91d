-- title    = "Console password was given to an IAM user that had none"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.privilege_escalation", "attack.t1098", "attack.t1136.003"]
-- remedy   = "Ask the owner of the user whether it should sign in to the console. If not, delete the login profile and look for sign-ins of the user."
SELECT eventTime,
       requestParameters ->> 'userName' AS for_user,
       requestParameters ->> 'passwordResetRequired' AS reset_required,
       sourceIPAddress, userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       -- a user of today's chooses the password; who took the old one or the MFA from somebody may be that somebody next
       CASE WHEN requestParameters ->> 'passwordResetRequired' = 'true' AND given + taken = users THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT requestParameters ->> 'userName') OVER day AS users,
             count(DISTINCT CASE WHEN eventName = 'CreateLoginProfile' THEN requestParameters ->> 'userName' END) OVER day AS given,
             count(DISTINCT CASE WHEN eventName <> 'CreateLoginProfile' THEN requestParameters ->> 'userName' END) OVER day AS taken,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || (CASE WHEN eventName = 'CreateLoginProfile' THEN 'user/' || (requestParameters ->> 'userName') END)) OVER day AS latest
      FROM cloudtrail
      WHERE eventSource = 'iam.amazonaws.com'
        AND eventName IN ('CreateLoginProfile', 'DeleteLoginProfile', 'DeactivateMFADevice')
        AND requestParameters ->> 'userName' IS NOT NULL
        AND (requestParameters ->> 'userName' IS DISTINCT FROM userIdentity.userName)
        AND errorCode IS NULL
      WINDOW day AS (PARTITION BY account, CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN userIdentity.arn ELSE coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) END
                     ORDER BY eventTime RANGE BETWEEN INTERVAL '24 hours' PRECEDING AND CURRENT ROW))
WHERE eventName = 'CreateLoginProfile'
