-- title           = "Console sign-in succeeded after many failures"
-- severity        = "high"
-- confidence      = "medium"
-- tags            = ["attack.initial_access", "attack.credential_access", "attack.t1110", "attack.t1078.004"]
-- remedy          = "Ask the user by another way than mail. If it was not the user: end the sessions (deny by aws:TokenIssueTime), set a new password, demand MFA, look at what was done since first_seen."
-- false_positives = "A person who tried one old password after another."
SELECT coalesce(userIdentity.userName, userIdentity.type) AS user_name,
       count(*) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Failure') AS failures,
       max(eventTime) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Success') AS success,
       sample(sourceIPAddress) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Failure') AS failed_from,
       sample(sourceIPAddress) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Success') AS signed_in_from,
       coalesce('user/' || userIdentity.userName, 'root') AS resource,
       CASE WHEN count(*) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Success' AND additionalEventData ->> 'MFAUsed' = 'No') > 0 THEN 'high'
            ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'ConsoleLogin'
  AND (userIdentity.userName <> 'HIDDEN_DUE_TO_SECURITY_REASONS' OR userIdentity.type = 'Root')
GROUP BY userIdentity.userName, userIdentity.type, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(*) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Failure') >= 8
   AND min(eventTime) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Failure') < max(eventTime) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Success')
