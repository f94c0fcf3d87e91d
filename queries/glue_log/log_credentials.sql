-- title      = "Glue job printed a credential to its log"
-- severity   = "high"
-- confidence = "medium"
-- key        = ["account", "jobrunid"]
-- tags       = ["attack.credential_access", "attack.t1552.001"]
-- remedy     = "Rotate the credential, then delete the log stream or limit who may read it; take the line out of the script."
SELECT logger, source, jobrunid AS resource
FROM glue_log
WHERE regexp_like(message, '(^|[^A-Z0-9])AKIA[A-Z2-7]{16}([^A-Z0-9]|$)')
   OR regexp_like(message, '(aws_?secret_?(access_?)?key|secret_?access_?key)["'']?\s*[=:]\s*["'']?[A-Za-z0-9/+]{40}', 'i')
   -- types of columns, folders, names of secrets and what a logger blotted out are no passwords
   OR regexp_like(regexp_replace(message, '(?i)(password|passwd|pwd)["'']?\s*[=:]\s*["'']?(string|(var|n)?char|text|binary|bigint|integer|struct<|array<|map<|arn:|/|[(]?redacted|masked|hidden|omitted|x{4}|[.]{3}|secretsmanager|(none|null|true|false|required)\b)', '', 'g'),
                  '(password|passwd|pwd)["'']?\s*[=:]\s*["'']?[^\s"''*<{$&]{6,}', 'i')
   OR regexp_like(message, '-----BEGIN ([A-Z]+ )?PRIVATE KEY-----')
   -- tokens of GitHub, GitLab, Slack, Stripe and Google
   OR regexp_like(message, '\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22}|glpat-[A-Za-z0-9_-]{20}|xox[abprs]-[A-Za-z0-9-]{20}|sk_live_[A-Za-z0-9]{16}|AIza[A-Za-z0-9_-]{35})')
   -- a user and a password in an address
   OR message LIKE '%://%@%' -- equivalent: what the next condition finds has these; it is asked of few lines so
      AND regexp_like(regexp_replace(message, '(?i):([(]?redacted[)]?|masked|hidden|omitted|x{4,}|password)@', '', 'g'),
                  '[a-z][a-z0-9+.-]*://[^\s/:@\"'']*:([^\s/@\"''*$<{%]{6,})@')
