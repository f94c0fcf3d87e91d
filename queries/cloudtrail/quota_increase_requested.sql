-- title           = "Increase of a compute or e-mail quota was asked for"
-- severity        = "low"
-- tags            = ["attack.impact", "attack.t1496", "attack.t1496.001", "attack.defense_evasion", "attack.t1578.005"]
-- remedy          = "Ask who needs it; miners and spammers raise quotas first. If nobody does: contain the principal, have the request closed by AWS Support, and look for launches and new Regions."
-- false_positives = "Growth."
SELECT eventTime,
       requestParameters ->> 'serviceCode' AS service,
       requestParameters ->> 'quotaCode' AS quota,
       requestParameters ->> 'desiredValue' AS wanted,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'quotaCode' AS resource,
       CASE WHEN is_by_hand_or_script()
                 AND userIdentity.invokedBy IS NULL
                 AND NOT is_infrastructure_tool() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource IN ('servicequotas.amazonaws.com', 'support.amazonaws.com')
  AND eventName IN ('RequestServiceQuotaIncrease', 'CreateCase')
  AND errorCode IS NULL
  AND (requestParameters ->> 'serviceCode' IN ('ec2', 'fargate', 'ses', 'sagemaker', 'bedrock', 'lightsail', 'batch', 'ecs')
       OR requestParameters ->> 'serviceCode' LIKE 'service-limit-increase%')
