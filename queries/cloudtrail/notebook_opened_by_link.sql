-- title           = "Link into a notebook of SageMaker or Flink was made outside of the console"
-- severity        = "medium"
-- tags            = ["attack.privilege_escalation", "attack.credential_access", "attack.lateral_movement", "attack.t1078.004", "attack.t1550.001"]
-- remedy          = "Ask who uses the link: it opens a shell with the role of the notebook. Stop the notebook and look at what its role did since."
-- false_positives = "Portals that send people to their notebooks."
SELECT eventTime,
       eventName,
       requestParameters ->> 'userProfileName' AS profile,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'notebookInstanceName', requestParameters ->> 'domainId', requestParameters ->> 'applicationName', requestParameters ->> 'trackingServerName', requestParameters ->> 'sessionId') AS resource
FROM cloudtrail
WHERE eventSource IN ('sagemaker.amazonaws.com', 'kinesisanalytics.amazonaws.com', 'athena.amazonaws.com')
  AND eventName IN ('CreatePresignedNotebookInstanceUrl', 'CreatePresignedDomainUrl', 'CreateApplicationPresignedUrl', 'CreatePresignedMlflowTrackingServerUrl', 'CreatePresignedNotebookUrl')
  AND coalesce(requestParameters ->> 'urlType', '') <> 'FLINK_DASHBOARD_URL'
  AND sessionCredentialFromConsole IS NOT TRUE
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
