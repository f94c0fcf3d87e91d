-- title           = "Somebody with the password of a user failed at MFA again and again"
-- severity        = "high"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.t1621", "attack.t1110"]
-- remedy          = "The password is known to whoever tried: set a new one, ask the user, block the addresses."
-- false_positives = "A token out of step with the clock."
SELECT coalesce(userIdentity.userName, userIdentity.type) AS user_name,
       count(*) AS failures,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       coalesce('user/' || userIdentity.userName, 'root') AS resource,
       CASE WHEN count(DISTINCT sourceIPAddress) >= 2 OR count(*) >= 10 THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'ConsoleLogin'
  AND responseElements ->> 'ConsoleLogin' = 'Failure'
  AND additionalEventData ->> 'MFAUsed' = 'Yes'
GROUP BY userIdentity.userName, userIdentity.type, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(*) >= 5
