-- title           = "GuardDuty lost a feature, a list of threats, its pace, new accounts, or machines"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventName"]
-- tags            = ["attack.defense_evasion", "attack.t1562.001"]
-- remedy          = "Turn the feature on again if the change was not announced, and look at what happened meanwhile that it would have seen."
-- false_positives = "Features that were tried and found too dear."
SELECT eventTime,
       eventName,
       requestParameters AS change,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'detectorId', json_get_str(requestParameters, 'resourcesSet', 'items', 0, 'resourceId'), requestParameters ->> 'resourceArn') AS resource,
       CASE WHEN eventName IN ('DeleteThreatIntelSet', 'DeleteThreatEntitySet') THEN 'GuardDuty lost a list of threats'
            WHEN eventName IN ('CreateTrustedEntitySet', 'UpdateTrustedEntitySet') THEN 'GuardDuty was told to trust a list of addresses or domains'
            WHEN eventName IN ('CreateTags', 'TagResource') THEN 'Machine was taken out of the scans of GuardDuty or Inspector by a tag'
            WHEN eventName = 'UpdateOrganizationConfiguration' THEN 'GuardDuty was told to leave new accounts or features out'
            ELSE 'GuardDuty lost a feature, or reports more seldom' END AS title
FROM cloudtrail
WHERE eventSource IN ('guardduty.amazonaws.com', 'ec2.amazonaws.com', 'ecs.amazonaws.com', 'eks.amazonaws.com')
  AND eventName IN ('UpdateDetector', 'UpdateMemberDetectors', 'UpdateOrganizationConfiguration', 'DeleteThreatIntelSet', 'DeleteThreatEntitySet', 'CreateTrustedEntitySet', 'UpdateTrustedEntitySet', 'CreateTags', 'TagResource')
  AND (eventName IN ('DeleteThreatIntelSet', 'DeleteThreatEntitySet', 'CreateTrustedEntitySet', 'UpdateTrustedEntitySet')
       -- the tags by which a machine or cluster is left out
       OR regexp_like(requestParameters, '"GuardDutyExcluded"|"InspectorEc2Exclusion"|"GuardDutyManaged"[^{}]*"false"|"false"[^{}]*"GuardDutyManaged"')
          AND NOT is_infrastructure_tool()
       OR eventName LIKE 'Update%'
          AND (regexp_like(requestParameters, '"DISABLED"|"enable"\s*:\s*false')
               OR requestParameters ->> 'autoEnable' = 'false'
               OR requestParameters ->> 'autoEnableOrganizationMembers' = 'NONE'
               OR requestParameters ->> 'findingPublishingFrequency' = 'SIX_HOURS'))
  AND coalesce(requestParameters ->> 'enable', '') <> 'false'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
