-- title           = "One IAM Identity Center token was used on two systems at two addresses"
-- severity        = "high"
-- confidence      = "medium"
-- aws_services    = true
-- tags            = ["attack.credential_access", "attack.t1528", "attack.defense_evasion", "attack.lateral_movement", "attack.t1550.001"]
-- remedy          = "Ask the user whether they copied their token to another computer. If not: end the sessions of the user in Identity Center, revoke the sessions of the roles whose credentials were fetched, and clean the computer that the token was taken from."
-- false_positives = "A user who copies the folder of tokens to a server by hand, or hands it to a container with an egress of its own."
-- description     = "A token lies in a file of the command line for as long as a working day, and whoever copies the file needs no password. Two operating systems and two addresses within six hours."
SELECT userIdentity.onBehalfOf.userId AS who,
       userIdentity.credentialId AS token,
       sample(CASE WHEN userAgent ILIKE '%windows%' THEN 'windows' WHEN userAgent ILIKE '%macos%' OR userAgent ILIKE '%darwin%' THEN 'macos' WHEN userAgent ILIKE '%linux%' THEN 'linux' END) AS systems,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       sample(serviceEventDetails ->> 'account_id') AS accounts,
       userIdentity.onBehalfOf.userId AS resource
FROM cloudtrail
WHERE eventSource = 'sso.amazonaws.com'
  AND eventName IN ('GetRoleCredentials', 'ListAccountRoles', 'ListAccounts')
  AND errorCode IS NULL
  AND userIdentity.credentialId IS NOT NULL
GROUP BY userIdentity.onBehalfOf.userId, userIdentity.credentialId, account, hop(eventTime, INTERVAL '1 hour', INTERVAL '6 hours')
HAVING count(DISTINCT CASE WHEN userAgent ILIKE '%windows%' THEN 'windows' WHEN userAgent ILIKE '%macos%' OR userAgent ILIKE '%darwin%' THEN 'macos' WHEN userAgent ILIKE '%linux%' THEN 'linux' END) >= 2
   AND count(DISTINCT sourceIPAddress) >= 2
