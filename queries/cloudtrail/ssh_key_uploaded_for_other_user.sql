-- title    = "SSH public key was uploaded for another IAM user"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.t1098.004"]
-- remedy   = "Ask the user whether the key is theirs; it reads and writes CodeCommit repositories as them. Delete it if not and look at recent pushes."
SELECT eventTime,
       requestParameters ->> 'userName' AS for_user,
       json_get_str(responseElements, 'sSHPublicKey', 'fingerprint') AS fingerprint,
       sourceIPAddress, userAgent,
       'user/' || (requestParameters ->> 'userName') AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'UploadSSHPublicKey'
  AND requestParameters ->> 'userName' IS NOT NULL
  AND (requestParameters ->> 'userName' IS DISTINCT FROM userIdentity.userName)
  AND errorCode IS NULL
