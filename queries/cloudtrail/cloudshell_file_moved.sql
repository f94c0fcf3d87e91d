-- title           = "File was moved out of or into CloudShell"
-- severity        = "low"
-- tags            = ["attack.exfiltration", "attack.t1567", "attack.execution", "attack.t1059.009"]
-- remedy          = "Ask what was moved; CloudShell goes past network controls of the office. If nobody can say: revoke the sessions of the person, and deny cloudshell:GetFileDownloadUrls where no file should leave."
-- false_positives = "Operators."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'fileDownloadPath', requestParameters ->> 'FileDownloadPath', requestParameters ->> 'environmentId', requestParameters ->> 'EnvironmentId', userIdentity.arn) AS resource
FROM cloudtrail
WHERE eventSource = 'cloudshell.amazonaws.com'
  AND eventName IN ('GetFileDownloadUrls', 'GetFileUploadUrls')
  AND errorCode IS NULL
