-- title           = "Glue job ran with code from a web server"
-- severity        = "high"
-- confidence      = "medium"
-- key             = ["account", "jobname"]
-- tags            = ["attack.execution", "attack.initial_access", "attack.t1059.006", "attack.t1195.002"]
-- remedy          = "Stop the job, fetch the file and read it; keep libraries in a bucket of your own and pin versions from a trusted index."
-- false_positives = "A package index of the company."
SELECT id, jobName AS resource, arguments
FROM glue_job_run
WHERE regexp_like(arguments, '"--(extra-py-files|extra-jars|extra-files|additional-python-modules|python-modules-installer-option|scriptLocation)"\s*:\s*"[^"]*(https?:)')
  AND NOT regexp_like(arguments, '"--(extra-py-files|extra-jars|extra-files|additional-python-modules|python-modules-installer-option|scriptLocation)"\s*:\s*"[^"]*https://([a-z0-9.-]+\.amazonaws\.com|pypi\.org|files\.pythonhosted\.org|repo1?\.maven\.apache\.org)/')
