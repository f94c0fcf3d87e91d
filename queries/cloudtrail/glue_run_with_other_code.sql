-- title           = "Glue job was started with other code than defined"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.execution", "attack.t1648", "attack.privilege_escalation", "attack.t1059.006"]
-- remedy          = "Read the script and libraries named in the arguments; set them as NonOverridableArguments of the job."
-- false_positives = "Schedulers that always hand the libraries over with the run."
SELECT requestParameters ->> 'jobName' AS resource, requestParameters ->> 'arguments' AS arguments,
       CASE WHEN requestParameters LIKE '%http://%' OR requestParameters LIKE '%https://%' THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName = 'StartJobRun'
  AND errorCode IS NULL
  AND regexp_like(requestParameters ->> 'arguments', '"--(extra-py-files|extra-jars|extra-files|scriptLocation|additional-python-modules|python-modules-installer-option)"')
