-- title    = "Inactive access key or other credential of another IAM user was activated again"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.t1098.001"]
-- remedy   = "Find out why it had been inactive. Deactivate it again unless its owner asked for it, and look for calls made with it since."
SELECT eventTime,
       requestParameters ->> 'userName' AS of_user,
       coalesce(requestParameters ->> 'accessKeyId', requestParameters ->> 'serviceSpecificCredentialId', requestParameters ->> 'certificateId', requestParameters ->> 'sSHPublicKeyId') AS credential,
       sourceIPAddress, userAgent,
       'user/' || (requestParameters ->> 'userName') AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('UpdateAccessKey', 'UpdateServiceSpecificCredential', 'UpdateSigningCertificate', 'UpdateSSHPublicKey')
  AND requestParameters ->> 'status' = 'Active'
  AND requestParameters ->> 'userName' IS NOT NULL
  AND (requestParameters ->> 'userName' IS DISTINCT FROM userIdentity.userName)
  AND errorCode IS NULL
