-- title    = "A job ran out of memory"
-- severity = "low"
-- tags     = ["reliability.memory"]
-- remedy   = "Give the job larger workers, or read less at once."
SELECT logger, source, substr(message, 1, 300) AS message,
       -- what was touched
       jobRunId AS resource
FROM glue_log
WHERE level = 'ERROR'
  AND message LIKE '%OutOfMemoryError%'
