-- title           = "Glue job ran without a security configuration"
-- severity        = "informational"
-- confidence      = "high"
-- key             = ["account", "jobname"]
-- dedupe          = "30d"
-- tags            = ["attack.collection", "attack.t1530"]
-- remedy          = "Give the job a security configuration with KMS keys for output, logs and bookmarks."
-- false_positives = "Buckets and log groups that encrypt by default with a key of their own."
SELECT id, jobName AS resource, glueVersion, workerType
FROM glue_job_run
WHERE securityConfiguration IS NULL
  AND jobRunState IN ('SUCCEEDED', 'FAILED', 'STOPPED', 'TIMEOUT')
  AND reportedby = 'get_job_runs'
