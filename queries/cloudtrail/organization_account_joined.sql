-- title    = "Account was invited to an organization or joined one"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.persistence", "attack.t1666"]
-- remedy   = "Check that both sides are yours: an account that joins a foreign organization hands its control and its bill to it. If one is not: cancel or decline the handshake, or take the account out of the organization again."
SELECT eventTime, eventName,
       coalesce(json_get_str(requestParameters, 'target', 'id'), json_get_str(responseElements, 'handshake', 'arn')) AS invited,
       sourceIPAddress, userAgent,
       coalesce(json_get_str(responseElements, 'handshake', 'arn'), requestParameters ->> 'handshakeId', account) AS resource
FROM cloudtrail
WHERE eventSource = 'organizations.amazonaws.com'
  AND eventName IN ('InviteAccountToOrganization', 'AcceptHandshake')
  AND errorCode IS NULL
