-- title           = "Password or MFA code of a user of IAM Identity Center was guessed"
-- severity        = "medium"
-- confidence      = "medium"
-- aws_services    = true
-- tags            = ["attack.credential_access", "attack.t1110.001", "attack.t1621"]
-- remedy          = "Ask the user. If it was somebody else who got as far as MFA, the password is known: change it, end the sessions of the user, and look for a sign-in after the last failure."
-- false_positives = "A person, or a password manager, with an old password; a token out of step with the clock."
SELECT coalesce(userIdentity.userName, userIdentity.onBehalfOf.userId) AS user_name,
       count(*) AS failures,
       count(*) FILTER (WHERE additionalEventData ->> 'CredentialType' <> 'PASSWORD') AS failures_at_mfa,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       'user/' || coalesce(userIdentity.userName, userIdentity.onBehalfOf.userId) AS resource,
       CASE WHEN count(*) FILTER (WHERE additionalEventData ->> 'CredentialType' <> 'PASSWORD') >= 5 THEN 'Somebody with the password of a user of IAM Identity Center failed at MFA again and again'
            ELSE 'Password of a user of IAM Identity Center was guessed' END AS title
FROM cloudtrail
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'CredentialVerification'
  AND serviceEventDetails ->> 'CredentialVerification' = 'Failure'
  AND coalesce(userIdentity.userName, userIdentity.onBehalfOf.userId) <> 'HIDDEN_DUE_TO_SECURITY_REASONS'
GROUP BY userIdentity.userName, userIdentity.onBehalfOf.userId, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(*) >= 10
    OR count(*) FILTER (WHERE additionalEventData ->> 'CredentialType' <> 'PASSWORD') >= 5
