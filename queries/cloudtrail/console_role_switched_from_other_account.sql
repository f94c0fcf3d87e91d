-- title    = "Console user of another account switched to a role in this one"
-- severity = "low"
-- tags     = ["attack.lateral_movement", "attack.persistence", "attack.t1550.001", "attack.t1078.004", "attack.t1021.007"]
-- remedy   = "Check that the other account is yours and that the user should have this role; narrow the trust policy of the role if not."
SELECT eventTime,
       additionalEventData ->> 'SwitchFrom' AS switched_from,
       sourceIPAddress, userAgent,
       coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS resource
FROM cloudtrail
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'SwitchRole'
  AND responseElements ->> 'SwitchRole' = 'Success'
  AND split_part(additionalEventData ->> 'SwitchFrom', ':', 5) <> account
