-- title           = "Bookmark of a Glue job was reset"
-- severity        = "low"
-- confidence      = "high"
-- tags            = ["attack.impact", "attack.t1565.001"]
-- remedy          = "Make sure that the replay was wanted: the next run reads everything again and may write rows twice."
-- false_positives = "Backfills."
SELECT requestParameters ->> 'jobName' AS resource, userAgent
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName = 'ResetJobBookmark'
  AND errorCode IS NULL
