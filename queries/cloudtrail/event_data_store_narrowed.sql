-- title           = "CloudTrail Lake event data store was narrowed or set to forget soon"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.008"]
-- remedy          = "Put the former settings back; what was left out meanwhile is lost, unless a trail records it too."
-- false_positives = "A store of data events alone, whose resources change."
SELECT eventTime,
       eventName,
       requestParameters AS changes,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'eventDataStore' AS resource
FROM cloudtrail
WHERE eventSource = 'cloudtrail.amazonaws.com'
  AND eventName = 'UpdateEventDataStore'
  AND (requestParameters ->> 'multiRegionEnabled' = 'false'
       OR requestParameters ->> 'organizationEnabled' = 'false'
       OR json_get_int(requestParameters, 'retentionPeriod') < 90
       OR json_length(requestParameters, 'advancedEventSelectors') > 0
          AND requestParameters ->> 'advancedEventSelectors' NOT LIKE '%"Management"%')
  AND errorCode IS NULL
