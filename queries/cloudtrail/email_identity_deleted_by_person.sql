-- title    = "Person deleted an identity that mail is sent from"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1070", "attack.impact", "attack.t1489"]
-- remedy   = "Look who verified it and what was sent from it: those who abuse an account to send mail delete what they sent it from. If it is yours, mail from it now fails: verify it again."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'identity', requestParameters ->> 'emailIdentity') AS resource
FROM cloudtrail
WHERE eventSource = 'ses.amazonaws.com'
  AND eventName IN ('DeleteIdentity', 'DeleteEmailIdentity', 'DeleteVerifiedEmailAddress')
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
