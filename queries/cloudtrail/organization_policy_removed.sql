-- title           = "Organization policy was detached, deleted or switched off"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.privilege_escalation", "attack.t1666", "attack.t1562"]
-- remedy          = "Attach the policy again if the change is unknown, and look at what the accounts below it did without the guard rail."
-- false_positives = "Control Tower, which puts other guard rails in place when an account moves (low)."
SELECT eventTime, eventName,
       coalesce(requestParameters ->> 'policyId', requestParameters ->> 'policyType') AS policy,
       coalesce(requestParameters ->> 'targetId', requestParameters ->> 'rootId', requestParameters ->> 'targetIdentifier') AS target,
       sourceIPAddress, userAgent,
       coalesce(requestParameters ->> 'policyId', requestParameters ->> 'rootId', requestParameters ->> 'controlIdentifier', requestParameters ->> 'landingZoneIdentifier', requestParameters ->> 'enabledBaselineIdentifier') AS resource,
       CASE WHEN userIdentity.invokedBy = 'controltower.amazonaws.com' THEN 'low'
            WHEN eventName IN ('DisablePolicyType', 'DeleteLandingZone') OR requestParameters ->> 'targetId' LIKE 'r-%' THEN 'high' ELSE 'medium' END AS severity,
       CASE eventName WHEN 'DisablePolicyType' THEN 'All policies of a type were switched off in the organization'
                      WHEN 'DeletePolicy' THEN 'Organization policy was deleted'
                      WHEN 'DisableControl' THEN 'Control of Control Tower was switched off'
                      WHEN 'DisableBaseline' THEN 'Baseline of Control Tower was taken off accounts'
                      WHEN 'DeleteLandingZone' THEN 'Landing zone of Control Tower was deleted'
                      ELSE 'Organization policy was detached' END AS title
FROM cloudtrail
WHERE eventSource IN ('organizations.amazonaws.com', 'controltower.amazonaws.com')
  AND eventName IN ('DetachPolicy', 'DeletePolicy', 'DisablePolicyType', 'DisableControl', 'DisableBaseline', 'DeleteLandingZone')
  AND coalesce(requestParameters ->> 'policyId', '') NOT IN ('p-FullAWSAccess', 'p-RCPFullAWSAccess')
  AND errorCode IS NULL
