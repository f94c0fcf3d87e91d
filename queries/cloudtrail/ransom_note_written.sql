-- title           = "Object with the name of a ransom note was written to a bucket"
-- severity        = "high"
-- confidence      = "medium"
-- tags            = ["attack.impact", "attack.t1486", "attack.t1485", "attack.t1491.001"]
-- remedy          = "Read the note; contain the principal that wrote it, see what it deleted or encrypted before, and restore from versions, replicas or backups."
-- false_positives = "A drill."
SELECT eventTime,
       eventName,
       requestParameters ->> 'key' AS key,
       sourceIPAddress,
       userAgent,
       'arn:aws:s3:::' || (requestParameters ->> 'bucketName') AS resource
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('PutObject', 'CopyObject', 'CompleteMultipartUpload')
  AND regexp_like(requestParameters ->> 'key', '(?i)(^|/)[^/]*(ransom|how[-_ ]?to[-_ ]?(decrypt|recover|restore|get)|files?[-_ ]?(deleted|encrypted|locked|stolen)|(decrypt|recover|restore|unlock)[-_ ]?(instructions?|files?|data|me|now|your)|your[-_ ]?(files|data|bucket)|(read[-_ ]?me|warning|attention|important)[-_ ]?(to|for)?[-_ ]?(decrypt|recover|restore|unlock|deleted|encrypted|ransom)|bitcoin|pay[-_ ]?(us|now|ransom)|!{2,}[-_ ]*read|read[-_ ]?me[-_ ]?(now|!{2,}))[^/]*\.(txt|html?|md|hta|json)$')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
