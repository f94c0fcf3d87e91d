-- title           = "Script that a SageMaker notebook runs as it starts was written or changed by a person"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.execution", "attack.t1037", "attack.t1648"]
-- remedy          = "Read the script (DescribeNotebookInstanceLifecycleConfig); it runs as root with the role of the notebook."
-- false_positives = "Data scientists who install packages."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'notebookInstanceLifecycleConfigName', requestParameters ->> 'studioLifecycleConfigName', requestParameters ->> 'notebookInstanceName') AS resource
FROM cloudtrail
WHERE eventSource = 'sagemaker.amazonaws.com'
  AND eventName IN ('CreateNotebookInstanceLifecycleConfig', 'UpdateNotebookInstanceLifecycleConfig', 'CreateStudioLifecycleConfig', 'UpdateNotebookInstance')
  AND (eventName <> 'UpdateNotebookInstance'
       OR json_contains(requestParameters, 'lifecycleConfigName'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
