-- title           = "Role was assumed from an account that had not done so for a month"
-- severity        = "medium"
-- tags            = ["attack.initial_access", "attack.privilege_escalation", "attack.t1199", "attack.t1078.004"]
-- remedy          = "Look at the trust policy of the role: is the account yours or a partner's? If not, remove it, and look at what the session did."
-- false_positives = "A new account of your organization, or of a vendor, that begins to use a role; Control Tower, when it takes an account in (low)."
-- description     = "An account is known when roles or identities of its own were at STS on three days, so that the first account ever from outside is told too."
SELECT account,
       CASE WHEN eventName = 'AssumeRole' AND userIdentity.accountId <> recipientAccountId THEN userIdentity.accountId ELSE 'this one' END AS from_account,
       sample(requestParameters ->> 'roleArn') AS resource,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       count(*) AS times,
       CASE WHEN count(*) FILTER (WHERE requestParameters ->> 'roleArn' NOT LIKE '%:role/AWSControlTowerExecution') = 0 THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'sts.amazonaws.com'
  AND errorCode IS NULL
GROUP BY account, from_account, tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(from_account, INTERVAL '30 days')
   AND from_account <> 'this one'
