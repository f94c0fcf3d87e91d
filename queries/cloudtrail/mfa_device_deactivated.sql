-- title           = "MFA device was taken from a user"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.defense_evasion", "attack.credential_access", "attack.t1556.006", "cis.1.10"]
-- remedy          = "Ask the user whether they are changing their device. If not, set it up again, reset the password and revoke the sessions of the user."
-- false_positives = "A lost or new telephone."
SELECT eventTime,
       coalesce(requestParameters ->> 'userName', userIdentity.userName) AS of_user,
       requestParameters ->> 'serialNumber' AS device,
       sourceIPAddress, userAgent,
       coalesce(requestParameters ->> 'serialNumber', 'user/' || (requestParameters ->> 'userName')) AS resource,
       CASE WHEN userIdentity.type = 'Root' AND requestParameters ->> 'userName' IS NULL THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN userIdentity.type = 'Root' AND requestParameters ->> 'userName' IS NULL THEN 'MFA device was taken from the root user'
            WHEN requestParameters ->> 'userName' IS DISTINCT FROM userIdentity.userName THEN 'MFA device was taken from another user'
            ELSE 'User removed their own MFA device' END AS title
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'DeactivateMFADevice'
  AND errorCode IS NULL
