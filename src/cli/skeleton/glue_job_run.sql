-- title    = "A job run was stopped by its timeout"
-- severity = "low"
-- tags     = ["reliability.timeout"]
-- remedy   = "See what the run waited for; give it more workers or a longer timeout."
SELECT id, executionTime,
       -- what was touched
       jobName AS resource
FROM glue_job_run
WHERE jobRunState = 'TIMEOUT'
