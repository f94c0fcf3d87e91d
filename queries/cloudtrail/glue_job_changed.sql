-- title           = "Script or role of a Glue job was changed"
-- severity        = "low"
-- confidence      = "medium"
-- tags            = ["attack.persistence", "attack.t1554", "attack.execution", "attack.t1648"]
-- remedy          = "Compare the script and role with the last reviewed ones; a changed job runs its code with the rights of its role at the next trigger. Put them back if they differ, and look at the runs since."
-- false_positives = "Deployments by scripts or Terraform."
SELECT requestParameters ->> 'jobName' AS resource,
       requestParameters -> 'jobUpdate' ->> 'role' AS role,
       requestParameters -> 'jobUpdate' -> 'command' ->> 'scriptLocation' AS script,
       coalesce(requestParameters ->> 'repositoryOwner', '') || '/' || coalesce(requestParameters ->> 'repositoryName', '') AS repository,
       userAgent,
       -- glue_job_admin_role tells that its new role is an administrator's
       -- in the console, who signed in through IAM Identity Center changes jobs all day
       CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' AND sessionCredentialFromConsole THEN 'low'
            WHEN is_by_hand() AND NOT coalesce(regexp_like(requestParameters -> 'jobUpdate' ->> 'role', '(?i)admin|poweruser|accountaccessrole'), false) THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName IN ('UpdateJob', 'UpdateJobFromSourceControl')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (eventName = 'UpdateJobFromSourceControl' OR json_contains(requestParameters, 'jobUpdate', 'role') OR json_contains(requestParameters, 'jobUpdate', 'command'))
