-- title      = "Glue driver or executor ran out of memory"
-- severity   = "informational"
-- confidence = "high"
-- key        = ["account", "jobrunid"]
-- tags       = ["attack.impact", "attack.t1499"]
-- remedy     = "Look for skew or a collect() on the driver before taking a larger worker type."
SELECT logger, source, executor, jobrunid AS resource
FROM glue_log
WHERE level IN ('WARN', 'ERROR', 'FATAL')
  AND regexp_like(message, '(^|[^A-Za-z])MemoryError|OutOfMemoryError|exceeding memory limits|Container killed by YARN|exit code 137')
