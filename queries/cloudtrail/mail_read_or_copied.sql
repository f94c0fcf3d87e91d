-- title           = "Mailbox was exported or opened to somebody else, or incoming mail sent elsewhere"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventName"]
-- tags            = ["attack.collection", "attack.t1114.002", "attack.t1114.003", "attack.exfiltration", "attack.t1537"]
-- remedy          = "Ask the owner of the mailbox or domain; cancel the export, take the permission or rule back, and see who read the mail meanwhile."
-- false_positives = "Investigations, and whoever sets up the mail."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'granteeId', requestParameters ->> 's3BucketName') AS goes_to,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'entityId', requestParameters ->> 'ruleSetName', requestParameters ->> 'archiveId', requestParameters ->> 'organizationId') AS resource,
       CASE WHEN eventName = 'StartMailboxExportJob' THEN 'Mailbox was exported'
            WHEN eventName = 'PutMailboxPermissions' THEN 'Mailbox was opened to somebody else'
            WHEN eventName IN ('CreateImpersonationRole', 'UpdateImpersonationRole') THEN 'Role was made by which mailboxes are read as their owners'
            WHEN eventName = 'PutEmailMonitoringConfiguration' THEN 'Mail events were sent to a log of choice'
            ELSE 'Incoming mail was sent elsewhere' END AS title
FROM cloudtrail
WHERE eventSource IN ('workmail.amazonaws.com', 'ses.amazonaws.com')
  AND eventName IN ('StartMailboxExportJob', 'PutMailboxPermissions', 'CreateImpersonationRole', 'UpdateImpersonationRole', 'PutEmailMonitoringConfiguration', 'CreateReceiptRule', 'UpdateReceiptRule', 'SetActiveReceiptRuleSet', 'CreateRelay', 'StartArchiveExport')
  AND (eventSource = 'workmail.amazonaws.com'
       OR NOT is_infrastructure_tool()
          AND is_by_hand_or_script())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
