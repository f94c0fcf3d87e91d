-- title    = "Bedrock guardrail was deleted"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1562.001"]
-- remedy   = "Recreate the guardrail; applications that name it fail, others run without it."
SELECT eventTime,
       errorCode,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'guardrailIdentifier' AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Bedrock guardrail was deleted'
            ELSE 'Somebody tried to delete a Bedrock guardrail' END AS title
FROM cloudtrail
WHERE eventSource = 'bedrock.amazonaws.com'
  AND eventName = 'DeleteGuardrail'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
