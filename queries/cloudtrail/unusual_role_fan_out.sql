-- title           = "Principal assumed many more roles than it ever does"
-- severity        = "medium"
-- tags            = ["attack.lateral_movement", "attack.privilege_escalation", "attack.t1550.001", "attack.t1548.005"]
-- remedy          = "See which roles were assumed and what their sessions did; revoke them if the owner does not know."
-- false_positives = "A deployment tool that got more accounts."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       count(DISTINCT requestParameters ->> 'roleArn') AS roles,
       sample(requestParameters ->> 'roleArn') AS some_roles
FROM cloudtrail
WHERE eventSource = 'sts.amazonaws.com'
  AND eventName = 'AssumeRole'
  AND errorCode IS NULL
GROUP BY coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), tumble(eventTime, INTERVAL '1 hour')
HAVING unusual_rate(count(DISTINCT requestParameters ->> 'roleArn'), 0.2)
  AND count(DISTINCT requestParameters ->> 'roleArn') >= 6
