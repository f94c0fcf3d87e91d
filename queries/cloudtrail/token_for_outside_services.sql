-- title           = "Account began to vouch for its identities outside AWS, a person fetched such a token, or rights were lent to a supplier"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.t1528", "attack.lateral_movement", "attack.t1550.001"]
-- remedy          = "Ask the owner which service outside AWS takes the token, and what it lets its bearer do; switch outbound federation off again (DisableOutboundWebIdentityFederation) if nobody needs it."
-- false_positives = "The team that sets up sign-in to another cloud."
SELECT eventTime,
       eventName,
       requestParameters ->> 'audience' AS audience,
       sourceIPAddress,
       userAgent,
       CASE eventName WHEN 'EnableOutboundWebIdentityFederation' THEN 'Account began to vouch for its identities outside AWS'
                      WHEN 'GetWebIdentityToken' THEN 'Token for services outside AWS was fetched by a person'
                      ELSE 'Rights were lent to a supplier for a time' END AS title
FROM cloudtrail
WHERE eventSource IN ('iam.amazonaws.com', 'sts.amazonaws.com')
  AND eventName IN ('EnableOutboundWebIdentityFederation', 'GetWebIdentityToken', 'AcceptDelegationRequest', 'SendDelegationToken')
  AND (eventName <> 'GetWebIdentityToken'
       OR NOT is_infrastructure_tool()
          AND is_by_hand())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
