-- title           = "Glue job installed Python packages from another index"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "jobrunid"]
-- tags            = ["attack.initial_access", "attack.t1195.002", "attack.execution"]
-- remedy          = "Check the index and the packages; pin versions and use PyPI or an index of your own."
-- false_positives = "An index of the company."
SELECT logger, jobrunid AS resource, substr(message, 1, 300) AS message
FROM glue_log
WHERE message LIKE '%Looking in indexes: %'
  AND regexp_like(regexp_replace(message, 'https://(pypi\.org|[^ ,/]*\.amazonaws\.com)/', '', 'g'), 'https?://')
