-- title      = "Glue script ran a shell command that attackers use"
-- severity   = "high"
-- confidence = "medium"
-- key        = ["account", "jobrunid"]
-- tags       = ["attack.execution", "attack.t1059.004", "attack.command_and_control", "attack.t1105"]
-- remedy     = "Stop the run, read the script and where it came from, revoke the sessions of the role."
SELECT logger, source, jobrunid AS resource, substr(message, 1, 300) AS message
FROM glue_log
WHERE regexp_like(message, '/dev/tcp/[0-9a-z]|bash -i >|(curl|wget) [^|;]*\|\s*(sudo )?((ba|da|z)?sh|python[0-9.]*|perl)(\s|$)|\bnc (-[a-z]+ )*-e |base64 (-d|--decode)\s*\|\s*(ba)?sh')
   -- what was downloaded is run without a pipe
   OR regexp_like(message, '\b(ba|da|z)?sh (<\(|-c ["'']?\$\()\s*(curl|wget) |\beval ["'']?\$\((curl|wget) |(curl|wget) [^|]*(&&|;)\s*chmod (a?\+x|[0-7]*7[0-7]*) ')
   -- shells for somebody elsewhere
   OR regexp_like(message, 'socket\.socket\(.*(dup2|pty\.spawn|subprocess)|\bmkfifo [^;|]+[;|].*\bnc |\bsocat .*exec:')
   -- miners
   OR regexp_like(message, '(?i)stratum\+(tcp|ssl|tls)://|\bxmrig\b|--donate-level')
