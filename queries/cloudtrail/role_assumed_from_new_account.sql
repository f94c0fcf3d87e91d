-- title           = "Role was assumed from an account that had not done so for a month"
-- severity        = "medium"
-- tags            = ["attack.initial_access", "attack.privilege_escalation", "attack.t1199", "attack.t1078.004"]
-- remedy          = "Look at the trust policy of the role: is the account yours or a partner's? If not, remove it, and look at what the session did."
-- false_positives = "A new account of your organization, or of a vendor, that begins to use a role."
SELECT account,
       userIdentity.accountId AS from_account,
       sample(requestParameters ->> 'roleArn') AS resource,
       count(*) AS times
FROM cloudtrail
WHERE eventSource = 'sts.amazonaws.com'
  AND eventName = 'AssumeRole'
  AND errorCode IS NULL
  AND userIdentity.accountId <> recipientAccountId
GROUP BY account, userIdentity.accountId, tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(userIdentity.accountId, INTERVAL '30 days')
