-- title           = "Password of a user was guessed at the console sign-in"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.t1110.001"]
-- remedy          = "Ask the user. If it was somebody else: block the addresses, demand MFA of the user, and look for a success after the last failure."
-- false_positives = "A person, or a password manager, with an old password."
SELECT coalesce(userIdentity.userName, userIdentity.type) AS user_name,
       count(*) AS failures,
       count(DISTINCT sourceIPAddress) AS different_addresses,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       coalesce('user/' || userIdentity.userName, 'root') AS resource,
       CASE WHEN userIdentity.type = 'Root' THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'ConsoleLogin'
  AND (responseElements ->> 'ConsoleLogin' = 'Failure'
       OR responseElements IS NULL
          AND coalesce(errorMessage, errorCode) IS NOT NULL)
  AND (userIdentity.userName <> 'HIDDEN_DUE_TO_SECURITY_REASONS' OR userIdentity.type = 'Root')
GROUP BY userIdentity.userName, userIdentity.type, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(*) >= 10
