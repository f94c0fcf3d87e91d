-- title           = "GuardDuty was told to trust addresses, archive findings or stop exporting them"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventName"]
-- tags            = ["attack.defense_evasion", "attack.t1562.001"]
-- remedy          = "Read the list, filter or destination that was changed; remove it when nobody can say which addresses or findings it is for, and look at what it has hidden (ListFindings with service.archived)."
-- false_positives = "The security team's own suppression filters and trusted lists."
SELECT eventTime,
       eventName,
       requestParameters ->> 'name' AS name,
       requestParameters ->> 'location' AS location,
       requestParameters ->> 'findingCriteria' AS criteria,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'ipSetId', requestParameters ->> 'filterName', requestParameters ->> 'destinationId', requestParameters ->> 'name', requestParameters ->> 'malwareProtectionPlanId', requestParameters ->> 'detectorId') AS resource,
       CASE WHEN eventName IN ('CreateIPSet', 'UpdateIPSet') THEN 'GuardDuty was told to trust addresses'
            WHEN eventName IN ('CreateFilter', 'UpdateFilter') THEN 'GuardDuty was told to archive findings'
            WHEN eventName IN ('DeletePublishingDestination', 'UpdatePublishingDestination') THEN 'GuardDuty was told to export its findings no more, or elsewhere'
            ELSE 'GuardDuty was told to scan a bucket for malware no more' END AS title
FROM cloudtrail
WHERE eventSource = 'guardduty.amazonaws.com'
  AND eventName IN ('CreateIPSet', 'UpdateIPSet', 'CreateFilter', 'UpdateFilter', 'DeletePublishingDestination', 'UpdatePublishingDestination', 'DeleteMalwareProtectionPlan')
  AND errorCode IS NULL
  AND (eventName IN ('DeletePublishingDestination', 'UpdatePublishingDestination', 'DeleteMalwareProtectionPlan')
       OR requestParameters ->> 'activate' = 'true' OR json_contains(requestParameters, 'location') -- of a list of addresses
       OR requestParameters ->> 'action' = 'ARCHIVE') -- of a filter
