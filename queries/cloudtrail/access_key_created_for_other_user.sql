-- title           = "Access key was created for another IAM user"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1098.001"]
-- remedy          = "Ask the owner of the user whether they wanted a key. If not: deactivate the key, then look for calls made with it and for what else the creator did."
-- false_positives = "Administrators and Terraform that hand out keys; prefer roles."
SELECT eventTime,
       requestParameters ->> 'userName' AS for_user,
       json_get_str(responseElements, 'accessKey', 'accessKeyId') AS access_key,
       sourceIPAddress, userAgent,
       'user/' || (requestParameters ->> 'userName') AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'CreateAccessKey'
  AND requestParameters ->> 'userName' IS NOT NULL
  AND (requestParameters ->> 'userName' IS DISTINCT FROM userIdentity.userName)
  AND errorCode IS NULL
