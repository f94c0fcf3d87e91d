-- title           = "Glue job ran with a secret in its arguments"
-- severity        = "high"
-- confidence      = "medium"
-- key             = ["account", "jobname"]
-- dedupe          = "30d"
-- tags            = ["attack.credential_access", "attack.t1552"]
-- remedy          = "Rotate the secret and read it from Secrets Manager in the script: arguments are shown by GetJob, GetJobRun and the console."
-- false_positives = "An argument named after a password that holds the name of a secret."
SELECT id, jobName AS resource
FROM glue_job_run
WHERE regexp_like(arguments, '(^|[^A-Z0-9])AKIA[A-Z2-7]{16}([^A-Z0-9]|$)')
   OR regexp_like(regexp_replace(arguments, '"((arn:|s3:|\{\{|\$\{|/|secretsmanager|resolve:)[^"]*|true|false|none|null|[a-z0-9_-]+(/[a-z0-9_-]+)+)"', '""', 'g'), '"--?[a-z0-9_.-]*(password|passwd|pwd|secret_?(access_?)?key|api_?key|private_?key|access_?token|auth_?token)"\s*:\s*"[^"]{3,}"', 'i')
   -- within a longer value: a JDBC address, a setting of Spark
   OR regexp_like(arguments, '(?i)[?&;]password=[^&;\s"*${<]{6,}|[.]secret[.]key=[A-Za-z0-9/+]{40}')
   OR regexp_like(arguments, '\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22}|glpat-[A-Za-z0-9_-]{20}|xox[abprs]-[A-Za-z0-9-]{20}|sk_live_[A-Za-z0-9]{16}|AIza[A-Za-z0-9_-]{35})')
   OR regexp_like(arguments, '[a-z][a-z0-9+.-]*://[^\s/:@\"'']*:([^\s/@\"''*$<{%]{6,})@')
