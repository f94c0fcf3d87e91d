-- title    = "Signing certificate was uploaded for an IAM user"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.t1098.001"]
-- remedy   = "Delete the certificate unless a SOAP client that still needs one is known: it signs requests as the user and appears in no list of access keys."
SELECT eventTime,
       coalesce(requestParameters ->> 'userName', userIdentity.userName) AS for_user,
       json_get_str(responseElements, 'certificate', 'certificateId') AS certificate,
       sourceIPAddress, userAgent,
       'user/' || coalesce(requestParameters ->> 'userName', userIdentity.userName) AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'UploadSigningCertificate'
  AND errorCode IS NULL
