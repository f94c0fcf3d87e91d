-- title           = "Glue job was given an administrator role"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.privilege_escalation", "attack.execution", "attack.t1098.003", "attack.t1648"]
-- remedy          = "Stop the job and its runs, read the script, and take iam:PassRole for this role from whoever set it."
-- false_positives = "The name of a role is not its policy: a role named after the administration of one data set may be narrow."
SELECT coalesce(requestParameters ->> 'name', requestParameters ->> 'jobName', requestParameters ->> 'endpointName', requestParameters ->> 'id') AS resource,
       coalesce(requestParameters ->> 'role', requestParameters ->> 'roleArn', requestParameters -> 'jobUpdate' ->> 'role') AS role,
       coalesce(requestParameters -> 'command' ->> 'scriptLocation', requestParameters -> 'jobUpdate' -> 'command' ->> 'scriptLocation') AS script
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName IN ('CreateJob', 'UpdateJob', 'CreateSession', 'CreateDevEndpoint')
  AND errorCode IS NULL
  AND regexp_like(coalesce(requestParameters ->> 'role', requestParameters ->> 'roleArn', requestParameters -> 'jobUpdate' ->> 'role'), 'admin|poweruser|accountaccessrole', 'i')
