-- title      = "Glue job ran on a version that AWS no longer supports"
-- severity   = "informational"
-- confidence = "high"
-- key        = ["account", "jobname"]
-- dedupe     = "30d"
-- tags       = ["attack.initial_access", "attack.t1190"]
-- remedy     = "Move the job to Glue 4.0 or later: old versions get no security fixes for Python and Spark."
SELECT id, jobName AS resource, glueVersion
FROM glue_job_run
WHERE glueVersion IN ('0.9', '1.0', '2.0')
