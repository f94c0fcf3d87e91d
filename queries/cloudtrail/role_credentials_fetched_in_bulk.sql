-- title           = "Credentials of many roles were fetched with one IAM Identity Center token"
-- severity        = "medium"
-- aws_services    = true
-- tags            = ["attack.credential_access", "attack.t1528", "attack.lateral_movement", "attack.t1550.001"]
-- remedy          = "Ask the user which tool they ran. If nobody can say: end the sessions of the user in Identity Center, deny what the roles may do to sessions from before now, and look for a device code that was approved for somebody else."
-- false_positives = "Administrators whose tools go through all accounts with a profile for each."
-- description     = "Twelve roles or accounts in ten minutes. A token that was got by phishing for a device code is mostly turned into all the credentials that it is good for at once."
SELECT userIdentity.onBehalfOf.userId AS who,
       count(DISTINCT (serviceEventDetails ->> 'account_id') || '/' || (serviceEventDetails ->> 'role_name')) AS roles,
       count(DISTINCT serviceEventDetails ->> 'account_id') AS accounts,
       sample((serviceEventDetails ->> 'account_id') || '/' || (serviceEventDetails ->> 'role_name')) AS some_roles,
       userIdentity.onBehalfOf.userId AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses
FROM cloudtrail
WHERE eventSource = 'sso.amazonaws.com'
  AND eventName = 'GetRoleCredentials'
  AND errorCode IS NULL
GROUP BY userIdentity.onBehalfOf.userId, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT (serviceEventDetails ->> 'account_id') || '/' || (serviceEventDetails ->> 'role_name')) >= 12
