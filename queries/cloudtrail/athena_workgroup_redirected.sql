-- title           = "Person changed where a workgroup of Athena writes its results, or let queries choose"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.exfiltration", "attack.t1537", "attack.collection", "attack.t1074.002", "attack.defense_evasion", "attack.t1562.001"]
-- remedy          = "See whose bucket it is. Put the settings back, and count the results of queries since as read by its owner."
-- false_positives = "Administrators of the lake who move results to another bucket by hand."
SELECT eventTime,
       coalesce(json_get_str(requestParameters, 'configurationUpdates', 'resultConfigurationUpdates', 'outputLocation'), json_get_str(requestParameters, 'configuration', 'resultConfiguration', 'outputLocation')) AS results,
       requestParameters ->> 'configurationUpdates' AS updates,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'workGroup' AS resource
FROM cloudtrail
WHERE eventSource = 'athena.amazonaws.com'
  AND eventName = 'UpdateWorkGroup'
  AND (json_contains(requestParameters, 'configurationUpdates', 'resultConfigurationUpdates', 'outputLocation')
       OR requestParameters -> 'configurationUpdates' ->> 'enforceWorkGroupConfiguration' = 'false'
       OR json_get_bool(requestParameters, 'configurationUpdates', 'resultConfigurationUpdates', 'removeEncryptionConfiguration'))
  AND NOT is_infrastructure_tool()
  AND is_by_hand_or_script()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
