-- title      = "Glue job run ran out of memory"
-- severity   = "informational"
-- confidence = "high"
-- key        = ["account", "jobname"]
-- tags       = ["attack.impact", "attack.t1499"]
-- remedy     = "Look for skew or a collect() on the driver before taking a larger worker type."
SELECT id, jobName AS resource, workerType, numberOfWorkers, coalesce(errorMessage, message) AS error
FROM glue_job_run
WHERE jobRunState IN ('FAILED', 'ERROR')
  AND regexp_like(coalesce(errorMessage, message), 'out ?of ?memory|(^|[^a-z])MemoryError|exceeding (physical |virtual )?memory limits|beyond (the .)?(physical|virtual).? memory limit|Java heap space|exit(ed with)? (code|status)(:| is)? [(]?137', 'i')
