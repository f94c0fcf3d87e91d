-- title           = "Role was assumed by a workload of another owner than ever before"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.initial_access", "attack.t1078.004", "attack.t1199", "attack.privilege_escalation", "attack.t1548.005"]
-- remedy          = "Look whether the owner of the repository, project or service account is yours. If not: correct the conditions of the role's trust policy, revoke its sessions, and read what they did."
-- false_positives = "A repository that moved to another owner; a new service of a cluster that shares the role."
SELECT sample(userIdentity.userName) AS subject,
       sample(userIdentity.identityProvider) AS provider,
       sample(sourceIPAddress) AS addresses,
       requestParameters ->> 'roleArn' AS resource
FROM cloudtrail
WHERE eventSource = 'sts.amazonaws.com'
  AND eventName = 'AssumeRoleWithWebIdentity'
  AND errorCode IS NULL
  -- those of people who sign in to a program are new all the time
  AND regexp_like(userIdentity.userName, '^(repo|project_path|organization|system:serviceaccount):')
GROUP BY account, requestParameters ->> 'roleArn', regexp_replace(userIdentity.userName, '^((repo|project_path):[^/]*|organization:[^:]*|system:serviceaccount:[^:]*:[^:]*).*$', '\1'), tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(regexp_replace(userIdentity.userName, '^((repo|project_path):[^/]*|organization:[^:]*|system:serviceaccount:[^:]*:[^:]*).*$', '\1'), INTERVAL '30 days')
