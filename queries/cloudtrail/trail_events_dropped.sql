-- title           = "CloudTrail event selectors were set to drop management events"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.008"]
-- remedy          = "Read the trail's selectors with GetEventSelectors and put back those that keep all management events, reads and writes."
-- false_positives = "A second trail that is meant for data events alone."
SELECT eventTime,
       requestParameters ->> 'eventSelectors' AS selectors,
       requestParameters ->> 'advancedEventSelectors' AS advanced_selectors,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'trailName' AS resource
FROM cloudtrail
WHERE eventSource = 'cloudtrail.amazonaws.com'
  AND eventName = 'PutEventSelectors'
  AND errorCode IS NULL
  AND (array_any_match(
         json_get_array(requestParameters, 'eventSelectors'),
         s -> s ->> 'includeManagementEvents' = 'false' OR s ->> 'readWriteType' IN ('ReadOnly', 'WriteOnly'))
       OR (json_length(requestParameters, 'advancedEventSelectors') > 0
           AND NOT requestParameters ->> 'advancedEventSelectors' LIKE '%"Management"%'))
