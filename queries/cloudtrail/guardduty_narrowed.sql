-- title           = "GuardDuty lost a feature, a list of threats, its pace, or new accounts"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.001"]
-- remedy          = "Turn the feature on again if the change was not announced, and look at what happened meanwhile that it would have seen."
-- false_positives = "Features that were tried and found too dear."
SELECT eventTime,
       eventName,
       requestParameters AS change,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'detectorId' AS resource
FROM cloudtrail
WHERE eventSource = 'guardduty.amazonaws.com'
  AND eventName IN ('UpdateDetector', 'UpdateMemberDetectors', 'UpdateOrganizationConfiguration', 'DeleteThreatIntelSet', 'DeleteThreatEntitySet', 'CreateTrustedEntitySet', 'UpdateTrustedEntitySet')
  AND (eventName IN ('DeleteThreatIntelSet', 'DeleteThreatEntitySet', 'CreateTrustedEntitySet', 'UpdateTrustedEntitySet')
       OR regexp_like(requestParameters, '"DISABLED"|"enable"\s*:\s*false')
       OR requestParameters ->> 'autoEnable' = 'false'
       OR requestParameters ->> 'autoEnableOrganizationMembers' = 'NONE'
       OR requestParameters ->> 'findingPublishingFrequency' = 'SIX_HOURS')
  AND coalesce(requestParameters ->> 'enable', '') <> 'false'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
