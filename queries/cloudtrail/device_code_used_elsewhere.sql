-- title           = "Device code of IAM Identity Center was used at another address than its user signed in from"
-- severity        = "medium"
-- confidence      = "medium"
-- aws_services    = true
-- tags            = ["attack.credential_access", "attack.t1528", "attack.initial_access", "attack.t1566.002", "attack.lateral_movement", "attack.t1550.001"]
-- remedy          = "Ask the user whether they approved a code that somebody sent them. If so: end their sessions in Identity Center, revoke the sessions of the roles that were taken, and allow PKCE alone for the command line."
-- false_positives = "A user who signs a server in from a browser on another network."
-- description     = "Who phishes with a device code asks for it, sends the link, and fetches the token as soon as somebody has signed in there: two addresses within a quarter of an hour."
SELECT coalesce(userIdentity.onBehalfOf.userId, userIdentity.userName) AS who,
       sample(sourceIPAddress) FILTER (WHERE eventName = 'CreateToken') AS fetched_from,
       sample(sourceIPAddress) FILTER (WHERE eventName <> 'CreateToken') AS signed_in_from,
       sample(userAgent) AS user_agents,
       coalesce(userIdentity.onBehalfOf.userId, userIdentity.userName) AS resource
FROM cloudtrail
WHERE eventSource IN ('sso-oauth.amazonaws.com', 'sso.amazonaws.com', 'signin.amazonaws.com')
  AND eventName IN ('CreateToken', 'UserAuthentication')
  AND (eventName = 'UserAuthentication'
       OR requestParameters ->> 'grantType' LIKE '%device_code')
  AND coalesce(userIdentity.onBehalfOf.userId, userIdentity.userName) IS NOT NULL
  AND errorCode IS NULL
GROUP BY coalesce(userIdentity.onBehalfOf.userId, userIdentity.userName), account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
-- an address that fetched the token, from which nobody signed in
HAVING count(DISTINCT sourceIPAddress) > count(DISTINCT sourceIPAddress) FILTER (WHERE eventName = 'UserAuthentication')
   AND count(*) FILTER (WHERE eventName = 'UserAuthentication') >= 1
