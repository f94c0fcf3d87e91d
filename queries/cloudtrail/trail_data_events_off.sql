-- title           = "CloudTrail trail was set to record no data events"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.008"]
-- remedy          = "Compare with the trail's former selectors. If it recorded reads of S3 objects, calls of functions or the like: put them back; what happened since is not in the trail."
-- false_positives = "A trail that never recorded data events, whose other settings change."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'trailName' AS resource,
       CASE WHEN is_infrastructure_tool() AND NOT is_person() THEN 'low'
            -- trail_events_dropped and trail_sees_less tell it
            WHEN regexp_like(requestParameters ->> 'eventSelectors', '"includeManagementEvents"\s*:\s*false|"(ReadOnly|WriteOnly)"|"excludeManagementEventSources"\s*:\s*\[\s*"')
                 OR requestParameters ->> 'advancedEventSelectors' NOT LIKE '%"Management"%'
                 OR regexp_like(requestParameters ->> 'advancedEventSelectors', '"field"\s*:\s*"(readOnly|eventSource|eventName|userIdentity\.arn|sessionCredentialFromConsole)"') THEN 'low'
            ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'cloudtrail.amazonaws.com'
  AND eventName = 'PutEventSelectors'
  AND (json_length(requestParameters, 'eventSelectors') > 0
           AND NOT regexp_like(requestParameters ->> 'eventSelectors', '"dataResources"\s*:\s*\[\s*[{]')
       OR json_length(requestParameters, 'advancedEventSelectors') > 0
           AND requestParameters ->> 'advancedEventSelectors' NOT LIKE '%"Data"%')
  AND errorCode IS NULL
