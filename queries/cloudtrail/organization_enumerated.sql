-- title           = "Person listed the accounts and policies of the organization with a tool"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.t1087.004", "attack.t1580", "attack.t1526"]
-- remedy          = "Ask whoever it was; look for roles of other accounts that were assumed next."
-- false_positives = "Administrators of the organization at work."
SELECT userIdentity.arn AS who,
       count(DISTINCT eventName) AS apis,
       sample(eventName) AS calls,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(userIdentity.arn) AS resource
FROM cloudtrail
WHERE eventSource = 'organizations.amazonaws.com'
  AND regexp_like(eventName, '^(List|Describe)')
  AND userIdentity.invokedBy IS NULL
  AND sessionCredentialFromConsole IS NOT TRUE
  AND coalesce(userAgent, '') NOT LIKE '%Terraform%'
  -- no pipeline asks so much at a command line
  AND (is_person()
       OR userAgent LIKE 'aws-cli/%'
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT eventName) >= 4
