-- title      = "Glue driver or executor ran out of memory"
-- severity   = "informational"
-- confidence = "high"
-- key        = ["account", "jobrunid"]
-- tags       = ["attack.impact", "attack.t1499"]
-- remedy     = "Look for skew or a collect() on the driver before taking a larger worker type."
SELECT logger, source, executor, jobrunid AS resource
FROM glue_log
WHERE level IN ('WARN', 'ERROR', 'FATAL')
  AND regexp_like(message, '(^|[^A-Za-z])MemoryError|OutOfMemoryError|exceeding memory limits|Container killed by YARN|(?i)beyond (the .)?(physical|virtual).? memory limit|exit(ed with)? (code|status)(:| is)? [(]?137')
   -- what the Java machine itself prints as it is killed, behind an entry of any level
   OR regexp_like(message, '(^|\n)# ?java[.]lang[.]OutOfMemoryError')
