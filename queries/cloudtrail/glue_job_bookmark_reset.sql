-- title           = "Bookmark of a Glue job was reset"
-- severity        = "low"
-- confidence      = "high"
-- tags            = ["attack.impact", "attack.t1565.001"]
-- remedy          = "Make sure that the replay was wanted before the next run, which reads everything again and may write rows twice; stop the trigger of the job until it is clear."
-- false_positives = "Backfills."
SELECT requestParameters ->> 'jobName' AS resource, userAgent
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName = 'ResetJobBookmark'
  AND errorCode IS NULL
