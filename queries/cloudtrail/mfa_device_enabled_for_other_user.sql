-- title    = "MFA device was enabled for another user"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.defense_evasion", "attack.t1556.006", "attack.t1098.005"]
-- remedy   = "Ask the user whether the device is theirs. Whoever holds it can pass policies that demand MFA: deactivate it if unknown."
SELECT eventTime,
       requestParameters ->> 'userName' AS for_user,
       requestParameters ->> 'serialNumber' AS device,
       sourceIPAddress, userAgent,
       requestParameters ->> 'serialNumber' AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'EnableMFADevice'
  AND requestParameters ->> 'userName' IS NOT NULL
  AND (requestParameters ->> 'userName' IS DISTINCT FROM userIdentity.userName)
  AND errorCode IS NULL
