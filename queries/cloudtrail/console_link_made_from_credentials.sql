-- title           = "Console sign-in link was made from API credentials"
-- severity        = "medium"
-- tags            = ["attack.initial_access", "attack.lateral_movement", "attack.t1550.001", "attack.t1021.007", "attack.t1538", "attack.t1606.001"]
-- remedy          = "Ask the principal whether they use a tool that opens the console from CLI credentials. If not, revoke the role sessions and look at what followed in the console."
-- false_positives = "Tools such as aws-vault, granted and leapp, and in-house login portals, do this for people (low after a sign-in through IAM Identity Center or with MFA)."
SELECT eventTime, sourceIPAddress, userAgent,
       userIdentity.arn AS resource,
       -- who signed in so may enter the console anyhow, and has it opened by a tool each morning
       CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%'
              OR userIdentity.sessionContext.attributes.mfaAuthenticated = 'true' THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'GetSigninToken'
  AND responseElements ->> 'GetSigninToken' = 'Success'
  AND coalesce(userAgent, '') NOT LIKE 'Jersey/%'
