-- title           = "Many users failed to sign in to the console, from many addresses, within minutes"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.t1110.003", "attack.t1110.004"]
-- remedy          = "Demand MFA of every user tried, and look at the sign-ins that succeeded since then. Whoever sprays passwords through a network of proxies has a new address for each try: block by the user agents that recur."
-- false_positives = "A morning on which many passwords ran out."
SELECT count(*) AS failures,
       count(DISTINCT userIdentity.userName) AS users,
       sample(userIdentity.userName) AS tried,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       account AS resource
FROM cloudtrail
WHERE eventSource = 'signin.amazonaws.com'
  AND eventName = 'ConsoleLogin'
  AND responseElements ->> 'ConsoleLogin' = 'Failure'
GROUP BY account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT sourceIPAddress) >= 8
   AND (count(DISTINCT userIdentity.userName) >= 8
     OR count(DISTINCT sourceIPAddress) FILTER (WHERE userIdentity.userName = 'HIDDEN_DUE_TO_SECURITY_REASONS') >= 15)
