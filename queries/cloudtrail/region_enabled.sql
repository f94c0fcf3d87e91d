-- title    = "Opt-in Region was enabled"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1535"]
-- remedy   = "Disable the Region again unless it is planned, and make sure trails, GuardDuty and Config cover it meanwhile."
SELECT eventTime,
       errorCode,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'regionName', requestParameters ->> 'RegionName') AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Opt-in Region was enabled'
            ELSE 'Somebody tried to enable an opt-in Region' END AS title
FROM cloudtrail
WHERE eventSource = 'account.amazonaws.com'
  AND eventName = 'EnableRegion'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
