-- title      = "Flow log records were lost"
-- severity   = "informational"
-- confidence = "high"
-- key        = ["account", "interface_id"]
-- tags       = ["attack.defense_evasion", "attack.t1562.008"]
-- remedy     = "Accept the gap in what is judged here; when it lasts, open a case with AWS support or use a longer aggregation interval."
SELECT interface_id, start, "end"
FROM vpc_flow
WHERE log_status = 'SKIPDATA'
