-- title           = "One address tried passwords of many users of IAM Identity Center"
-- severity        = "medium"
-- confidence      = "medium"
-- aws_services    = true
-- tags            = ["attack.credential_access", "attack.t1110.003", "attack.t1110.004"]
-- remedy          = "Block the address, demand MFA of every user tried, and look at who signed in from it."
-- false_positives = "An office behind one address on the morning after passwords had to be changed."
SELECT count(*) FILTER (WHERE serviceEventDetails ->> 'CredentialVerification' = 'Failure') AS failures,
       count(DISTINCT coalesce(userIdentity.onBehalfOf.userId, userIdentity.userName)) FILTER (WHERE serviceEventDetails ->> 'CredentialVerification' = 'Failure') AS users,
       sample(coalesce(userIdentity.userName, userIdentity.onBehalfOf.userId)) FILTER (WHERE serviceEventDetails ->> 'CredentialVerification' = 'Failure') AS tried,
       sample(coalesce(userIdentity.userName, userIdentity.onBehalfOf.userId)) FILTER (WHERE serviceEventDetails ->> 'CredentialVerification' = 'Success') AS right_password,
       sample(userAgent) AS user_agents,
       sourceIPAddress AS resource,
       CASE WHEN count(*) FILTER (WHERE serviceEventDetails ->> 'CredentialVerification' = 'Success') > 0 THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'CredentialVerification'
  AND coalesce(additionalEventData ->> 'CredentialType', 'PASSWORD') = 'PASSWORD'
GROUP BY sourceIPAddress, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT coalesce(userIdentity.onBehalfOf.userId, userIdentity.userName)) FILTER (WHERE serviceEventDetails ->> 'CredentialVerification' = 'Failure') >= 6
    OR count(*) FILTER (WHERE serviceEventDetails ->> 'CredentialVerification' = 'Failure' AND userIdentity.userName = 'HIDDEN_DUE_TO_SECURITY_REASONS') >= 10
