-- title      = "Glue job was denied access"
-- severity   = "low"
-- confidence = "high"
-- key        = ["account", "jobrunid"]
-- tags       = ["attack.discovery", "attack.t1083"]
-- remedy     = "If the job or its role was changed, undo it or grant the one missing permission; if not, look for whoever runs other code under the role."
SELECT logger, source, jobrunid AS resource, substr(message, 1, 300) AS message
FROM glue_log
WHERE level IN ('ERROR', 'FATAL')
  AND regexp_like(message, 'access ?denied|not authorized to perform|insufficient lake formation permission|status code: 403|error occurred \(403\)', 'i')
