-- title           = "One principal asked by dry runs what it may do"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.t1526", "attack.t1069.003"]
-- remedy          = "Ask the owner of the principal; a tool asks so what a stolen key is good for."
-- false_positives = "Checks of an installer."
SELECT userIdentity.arn AS who,
       count(DISTINCT eventName) AS apis,
       sample(eventName) AS calls,
       count(*) FILTER (WHERE errorCode LIKE '%DryRunOperation') AS allowed,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(userIdentity.arn) AS resource
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND errorCode IN ('Client.DryRunOperation', 'DryRunOperation')
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT eventName) >= 5
