-- title           = "IAM user who had lost the password or the MFA was given a new password by somebody else"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.credential_access", "attack.t1098", "attack.t1556.006"]
-- remedy          = "Ask the user whether they wanted it. If not: delete the login profile, set the MFA up again, look for sign-ins of the user since, and contain whoever took the password or the MFA."
-- false_positives = "A help desk that deletes a forgotten password in place of resetting it."
-- description     = "Whoever takes the password or the MFA from somebody and sets a password may be that somebody next, also where it has to be changed at the first sign-in, which the new owner does. It counts for a week, whoever does the one and the other: each alone is what is done as people leave and come."
SELECT eventTime,
       requestParameters ->> 'userName' AS for_user,
       requestParameters ->> 'passwordResetRequired' AS reset_required,
       userIdentity.arn AS giver,
       takers,
       sourceIPAddress,
       userAgent,
       'user/' || (requestParameters ->> 'userName') AS resource
FROM (SELECT *,
             count(*) FILTER (WHERE eventName <> 'CreateLoginProfile') OVER week AS taken,
             sample(CASE WHEN eventName <> 'CreateLoginProfile' THEN userIdentity.arn END) OVER week AS takers
      FROM cloudtrail
      WHERE eventSource = 'iam.amazonaws.com'
        AND eventName IN ('CreateLoginProfile', 'DeleteLoginProfile', 'DeactivateMFADevice')
        AND requestParameters ->> 'userName' IS NOT NULL
        AND errorCode IS NULL
      WINDOW week AS (PARTITION BY account, requestParameters ->> 'userName'
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE eventName = 'CreateLoginProfile'
  AND taken > 0
  AND (requestParameters ->> 'userName' IS DISTINCT FROM userIdentity.userName)
