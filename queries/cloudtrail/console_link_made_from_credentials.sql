-- title           = "Console sign-in link was made from API credentials"
-- severity        = "medium"
-- tags            = ["attack.initial_access", "attack.lateral_movement", "attack.t1550.001", "attack.t1021.007", "attack.t1538", "attack.t1606.001"]
-- remedy          = "Ask the principal whether they use a tool that opens the console from CLI credentials. If not, revoke the role sessions and look at what followed in the console."
-- false_positives = "Tools such as aws-vault, granted and leapp, and in-house login portals, do this for people."
SELECT eventTime, sourceIPAddress, userAgent,
       userIdentity.arn AS resource
FROM cloudtrail
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'GetSigninToken'
  AND responseElements ->> 'GetSigninToken' = 'Success'
  AND coalesce(userAgent, '') NOT LIKE 'Jersey/%'
