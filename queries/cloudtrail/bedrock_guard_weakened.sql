-- title    = "Bedrock guardrail or log of invocations was weakened, or a guardrail changed by a person"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1562.001", "attack.t1562.008"]
-- remedy   = "Compare the guardrail's versions (ListGuardrails with its identifier) and the log's settings; put them back, and read what models were asked since."
SELECT eventTime,
       eventName,
       requestParameters AS changes,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'guardrailIdentifier', requestParameters ->> 'configId', account) AS resource
FROM cloudtrail
WHERE eventSource = 'bedrock.amazonaws.com'
  AND eventName IN ('UpdateGuardrail', 'PutModelInvocationLoggingConfiguration', 'DeleteEnforcedGuardrailConfiguration')
  AND (eventName = 'DeleteEnforcedGuardrailConfiguration'
       OR regexp_like(requestParameters, '"(input|output)Strength"\s*:\s*"NONE"|"[a-z]+DataDeliveryEnabled"\s*:\s*false')
       OR eventName = 'UpdateGuardrail'
          AND NOT is_infrastructure_tool()
          AND is_by_hand_or_script())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
