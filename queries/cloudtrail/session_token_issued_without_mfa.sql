-- title           = "IAM user got a session token without MFA"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "sourceIPAddress"]
-- dedupe          = "7d"
-- tags            = ["attack.defense_evasion", "attack.persistence", "attack.t1550.001"]
-- remedy          = "Ask the user what the token is for: without MFA it gives nothing that the key does not, except a life of its own. Look for it in use from other addresses; if it is, deactivate the key and deny the user everything until the token has expired."
-- false_positives = "Programs whose library asks for one each day: one finding a week for each address of a user."
SELECT eventTime, userIdentity.userName,
       json_get_str(responseElements, 'credentials', 'accessKeyId') AS access_key,
       sourceIPAddress, userAgent,
       userIdentity.arn AS resource
FROM cloudtrail
WHERE eventSource = 'sts.amazonaws.com'
  AND eventName = 'GetSessionToken'
  AND userIdentity.type = 'IAMUser'
  AND userIdentity.invokedBy IS NULL
  AND requestParameters ->> 'serialNumber' IS NULL
  AND errorCode IS NULL
