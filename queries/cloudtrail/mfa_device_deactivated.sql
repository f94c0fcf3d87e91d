-- title           = "MFA device was taken from a user"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.defense_evasion", "attack.credential_access", "attack.t1556.006", "cis.1.10"]
-- remedy          = "Ask the user whether they are changing their device. If not, set it up again, reset the password and revoke the sessions of the user."
-- false_positives = "A lost or new telephone; a user who leaves, whose password is deleted before (low)."
-- description     = "Low also where the same caller has reset the password of the user within the hour, of which another rule tells with medium or high severity."
SELECT eventTime,
       coalesce(requestParameters ->> 'userName', userIdentity.userName) AS of_user,
       requestParameters ->> 'serialNumber' AS device,
       sourceIPAddress, userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN userIdentity.type = 'Root' AND requestParameters ->> 'userName' IS NULL THEN 'high'
            WHEN told = users THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN userIdentity.type = 'Root' AND requestParameters ->> 'userName' IS NULL THEN 'MFA device was taken from the root user'
            WHEN requestParameters ->> 'userName' IS DISTINCT FROM userIdentity.userName THEN 'MFA device was taken from another user'
            ELSE 'User removed their own MFA device' END AS title
FROM (SELECT *,
             count(DISTINCT coalesce(requestParameters ->> 'userName', userIdentity.userName)) OVER hour AS users,
             count(DISTINCT CASE WHEN eventName <> 'DeactivateMFADevice' THEN requestParameters ->> 'userName' END) OVER hour AS told,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || (CASE WHEN eventName = 'DeactivateMFADevice' THEN coalesce(requestParameters ->> 'serialNumber', 'user/' || (requestParameters ->> 'userName')) END)) OVER hour AS latest
      FROM cloudtrail
      WHERE eventSource = 'iam.amazonaws.com'
        AND (eventName = 'DeactivateMFADevice'
             -- who deletes the own password and swaps the own MFA has a key of the user
             OR eventName IN ('DeleteLoginProfile', 'UpdateLoginProfile')
                AND requestParameters ->> 'userName' IS DISTINCT FROM userIdentity.userName
                -- what is low there is not told
                AND NOT coalesce(eventName = 'UpdateLoginProfile' AND requestParameters ->> 'passwordResetRequired' = 'true' AND sessionCredentialFromConsole
                                 AND (userIdentity.sessionContext.attributes.mfaAuthenticated = 'true' OR userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%'), false))
        AND errorCode IS NULL
      WINDOW hour AS (PARTITION BY account, CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN userIdentity.arn ELSE coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) END
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND CURRENT ROW))
WHERE eventName = 'DeactivateMFADevice'
