-- title      = "Glue job run was ended at its time limit"
-- severity   = "low"
-- confidence = "high"
-- key        = ["account", "jobname"]
-- tags       = ["attack.impact", "attack.t1499"]
-- remedy     = "Look in the driver's log for what it waited for, and whether all before it took longer than usual. All its DPU time was paid for; a shorter limit makes the next one cheaper."
SELECT id, jobName AS resource, executionTime AS seconds, timeout AS limit_minutes, workerType, numberOfWorkers
FROM glue_job_run
WHERE jobRunState = 'TIMEOUT'
