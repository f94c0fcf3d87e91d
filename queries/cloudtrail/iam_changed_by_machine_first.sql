-- title           = "Role of a machine changed IAM, which it had not done for a month"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1098"]
-- remedy          = "Look at what it changed and from where it was called. Credentials of an instance, function or task that are used by hand are the usual reason: revoke the role's sessions and look at the machine."
-- false_positives = "A deployment tool that runs on an instance and is new."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       sample(eventName) AS calls,
       sample(sourceIPAddress) AS addresses,
       count(*) AS times,
       eventSource
FROM cloudtrail
WHERE userIdentity.type = 'AssumedRole'
  AND (userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL OR userIdentity.arn LIKE '%/i-%')
  AND eventSource IN ('iam.amazonaws.com', 's3.amazonaws.com', 'ec2.amazonaws.com', 'ssm.amazonaws.com', 'sqs.amazonaws.com', 'sts.amazonaws.com', 'logs.amazonaws.com')
  AND (eventSource <> 'iam.amazonaws.com' OR NOT readOnly)
  AND errorCode IS NULL
GROUP BY coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), eventSource, tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(eventSource, INTERVAL '30 days') AND count(*) FILTER (WHERE eventSource = 'iam.amazonaws.com') > 0
