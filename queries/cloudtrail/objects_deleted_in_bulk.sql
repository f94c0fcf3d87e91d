-- title           = "Very many objects were deleted from S3 by a person"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485", "attack.t1490"]
-- remedy          = "Ask whoever it was; stop the principal, and restore from versions, replicas or backups if nobody can say."
-- false_positives = "Clean-up by a person with the command line."
SELECT userIdentity.arn AS who,
       count(*) AS calls,
       count(DISTINCT requestParameters ->> 'key') AS objects,
       sample(requestParameters ->> 'bucketName') AS buckets,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample('arn:aws:s3:::' || (requestParameters ->> 'bucketName')) AS resource
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('DeleteObject', 'DeleteObjects')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND is_person()
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING (count(DISTINCT requestParameters ->> 'key') >= 500
     OR count(*) FILTER (WHERE eventName = 'DeleteObjects') >= 20)
