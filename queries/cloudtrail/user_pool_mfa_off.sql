-- title           = "MFA was turned off for a Cognito user pool"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.defense_evasion", "attack.t1556.006"]
-- remedy          = "Ask whoever it was; turn MFA on again, and look at who signed in since."
-- false_positives = "Pools of applications under development."
SELECT eventTime,
       requestParameters ->> 'userPoolId' AS resource,
       sourceIPAddress,
       userAgent
FROM cloudtrail
WHERE eventSource = 'cognito-idp.amazonaws.com'
  AND eventName = 'SetUserPoolMfaConfig'
  AND requestParameters ->> 'mfaConfiguration' = 'OFF'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
