-- title           = "Container repository lost the immutability of its tags or its scans"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1525", "attack.t1562.001"]
-- remedy          = "Put the setting back, and compare the images that were pushed since with what the pipeline built."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'repositoryName', account) AS resource
FROM cloudtrail
WHERE eventSource = 'ecr.amazonaws.com'
  AND eventName IN ('PutImageTagMutability', 'PutImageScanningConfiguration', 'PutRegistryScanningConfiguration')
  AND (requestParameters ->> 'imageTagMutability' = 'MUTABLE'
       OR requestParameters -> 'imageScanningConfiguration' ->> 'scanOnPush' = 'false'
       OR json_length(requestParameters, 'rules') = 0)
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand_or_script()
