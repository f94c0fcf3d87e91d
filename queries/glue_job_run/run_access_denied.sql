-- title      = "Glue job run failed because access was denied"
-- severity   = "low"
-- confidence = "high"
-- key        = ["account", "jobname"]
-- tags       = ["attack.discovery", "attack.t1083"]
-- remedy     = "If the job or its role was changed, undo it or grant the one missing permission; if nothing was changed, look for whoever runs other code under the role."
SELECT id, jobName AS resource, coalesce(errorMessage, message) AS error
FROM glue_job_run
WHERE jobRunState IN ('FAILED', 'ERROR')
  AND regexp_like(coalesce(errorMessage, message), 'access ?denied|not authorized to perform|insufficient lake formation permission|status code: 403|error occurred \(403\)', 'i')
