-- title    = "CloudTrail Lake event data store was deleted, stopped or unprotected"
-- severity = "high"
-- tags     = ["attack.defense_evasion", "attack.t1562.008"]
-- remedy   = "Restore the event data store (RestoreEventDataStore, possible for seven days) or start its ingestion again; turn termination protection on."
SELECT eventTime,
       eventName,
       errorCode,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'eventDataStore' AS resource,
       CASE WHEN errorCode IS NOT NULL OR eventName = 'UpdateEventDataStore' THEN 'medium' ELSE 'high' END AS severity,
       CASE WHEN errorCode IS NOT NULL THEN 'Somebody tried to delete, stop or unprotect a CloudTrail Lake event data store'
            WHEN eventName = 'UpdateEventDataStore' THEN 'CloudTrail Lake event data store lost its termination protection'
            ELSE 'CloudTrail Lake event data store was deleted or stopped' END AS title
FROM cloudtrail
WHERE eventSource = 'cloudtrail.amazonaws.com'
  AND eventName IN ('DeleteEventDataStore', 'StopEventDataStoreIngestion', 'UpdateEventDataStore')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND (eventName != 'UpdateEventDataStore' OR requestParameters ->> 'terminationProtectionEnabled' = 'false')
