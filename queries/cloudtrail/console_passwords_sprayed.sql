-- title           = "One address tried to sign in to the console as many users"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.t1110.003", "attack.t1110.004"]
-- remedy          = "Block the address, demand MFA of every user tried, and look at the sign-ins from it that succeeded."
-- false_positives = "An office behind one address on the morning after passwords had to be changed (low where half as many users sign in)."
SELECT count(*) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Failure') AS failures,
       count(DISTINCT userIdentity.userName) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Failure') AS users,
       sample(userIdentity.userName) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Failure') AS tried,
       sample(userIdentity.userName) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Success') AS signed_in,
       sample(userAgent) AS user_agents,
       sourceIPAddress AS resource,
       -- few of many passwords fit a spray's; where half as many users get in, it is an office in the morning
       CASE WHEN count(DISTINCT userIdentity.userName) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Success') * 2
                 >= count(DISTINCT userIdentity.userName) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Failure')
             AND count(DISTINCT userIdentity.userName) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Success') >= 3 THEN 'low'
            WHEN count(*) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Success') > 0 THEN 'high'
            ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'ConsoleLogin'
GROUP BY sourceIPAddress, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT userIdentity.userName) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Failure') >= 6
    OR count(*) FILTER (WHERE responseElements ->> 'ConsoleLogin' = 'Failure' AND userIdentity.userName = 'HIDDEN_DUE_TO_SECURITY_REASONS') >= 10
