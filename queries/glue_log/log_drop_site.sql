-- title           = "Glue script named a site that takes what anybody sends"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.exfiltration", "attack.command_and_control", "attack.t1567", "attack.t1102"]
-- key             = ["account", "jobrunid"]
-- remedy          = "Compare the script with the one in your repository. If nobody knows the address: stop the job, see what the run read, and let jobs out to the addresses that they need alone."
-- false_positives = "A job that tells of its end in a chat; data that has such addresses in it and is printed."
SELECT logger, source, jobrunid AS resource, substr(message, 1, 300) AS message
FROM glue_log
WHERE regexp_like(message, '(?i)https?://([a-z0-9-]+\.)*(webhook\.site|requestbin\.(com|net)|pipedream\.net|requestcatcher\.com|interact\.sh|oast\.(fun|live|site|online|pro|me)|oastify\.com|burpcollaborator\.net|ngrok(-free)?\.(io|app|dev)|trycloudflare\.com|transfer\.sh|file\.io|gofile\.io|0x0\.st|anonfiles\.com|pastebin\.com|paste\.ee|hastebin\.com|termbin\.com|bashupload\.com|temp\.sh|catbox\.moe)([:/]|\s|$)|https?://(discord(app)?\.com/api/webhooks|api\.telegram\.org/bot)')
