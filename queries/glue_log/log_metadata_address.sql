-- title      = "Glue script spoke to the address that hands out credentials"
-- severity   = "medium"
-- confidence = "medium"
-- key        = ["account", "jobrunid"]
-- tags       = ["attack.credential_access", "attack.t1552.005"]
-- remedy     = "Read the script: jobs have their credentials without asking; code that asks may send them away. Revoke the sessions of the role if so."
SELECT logger, source, jobrunid AS resource, substr(message, 1, 300) AS message
FROM glue_log
WHERE regexp_like(message, '169\.254\.169\.254|169\.254\.170\.2([^0-9]|$)|fd00:ec2::254')
  AND coalesce(logger, '') NOT LIKE '%Metadata%'
  AND coalesce(logger, '') NOT LIKE '%Credentials%'
  AND message NOT LIKE '%Failed to connect to service endpoint%'
