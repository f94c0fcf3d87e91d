-- title           = "Workload with a token of its own was refused several roles"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.initial_access", "attack.t1078.004", "attack.t1199", "attack.lateral_movement", "attack.t1550.001"]
-- remedy          = "Look whose repository, project or service account it is. If it is yours, see what runs there now; if not, the trust policies held: read them again all the same."
-- false_positives = "A pipeline that is rolled out before its roles are."
SELECT userIdentity.userName AS subject,
       count(DISTINCT requestParameters ->> 'roleArn') AS roles,
       count(*) AS calls,
       sample(requestParameters ->> 'roleArn') AS resource,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents
FROM cloudtrail
WHERE eventSource = 'sts.amazonaws.com'
  AND eventName = 'AssumeRoleWithWebIdentity'
  AND errorCode IN ('AccessDenied', 'AccessDeniedException')
GROUP BY userIdentity.userName, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT requestParameters ->> 'roleArn') >= 4
