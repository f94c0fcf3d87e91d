-- title           = "Person wrote or changed a Systems Manager document"
-- severity        = "medium"
-- tags            = ["attack.execution", "attack.persistence", "attack.t1651", "attack.t1059"]
-- remedy          = "Read the document (GetDocument) and its versions; put the reviewed version back as the default if they differ, and look at where it ran since."
-- false_positives = "Operators who write runbooks by hand."
SELECT eventTime,
       eventName,
       requestParameters ->> 'documentType' AS document_type,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'name' AS resource,
       CASE WHEN requestParameters ->> 'name' = 'SSM-SessionManagerRunShell' THEN 'Person changed the settings of Session Manager, which say where sessions are logged'
            ELSE 'Person wrote or changed a Systems Manager document' END AS title
FROM cloudtrail
WHERE eventSource = 'ssm.amazonaws.com'
  AND eventName IN ('CreateDocument', 'UpdateDocument', 'UpdateDocumentDefaultVersion')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
