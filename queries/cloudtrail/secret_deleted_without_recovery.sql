-- title           = "Secret was deleted without a recovery window"
-- severity        = "low"
-- tags            = ["attack.impact", "attack.t1485"]
-- remedy          = "It cannot be restored: create it anew from its source and ask why recovery was waived."
-- false_positives = "Terraform with recovery_window_in_days = 0 in test stacks."
SELECT eventTime,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements ->> 'aRN', responseElements ->> 'ARN', requestParameters ->> 'secretId') AS resource,
       CASE WHEN is_by_hand()
                 AND userIdentity.invokedBy IS NULL
                 AND NOT is_infrastructure_tool() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'secretsmanager.amazonaws.com'
  AND eventName = 'DeleteSecret'
  AND errorCode IS NULL
  AND requestParameters ->> 'forceDeleteWithoutRecovery' = 'true'
