-- title           = "Versions of a bucket's objects were listed and objects deleted by a person"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485", "attack.t1490", "attack.t1486"]
-- remedy          = "Ask whoever it was; stop the principal, and restore from a replica or a backup if nobody can say: who deletes versions wants nothing to be left."
-- false_positives = "A bucket of a test that is taken down by hand."
SELECT userIdentity.arn AS who,
       count(*) FILTER (WHERE eventName <> 'ListObjectVersions') AS deletions,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       'arn:aws:s3:::' || (requestParameters ->> 'bucketName') AS resource
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('ListObjectVersions', 'DeleteObjects', 'DeleteObject')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
GROUP BY userIdentity.arn, account, requestParameters ->> 'bucketName', hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING in_order(eventTime, eventName = 'ListObjectVersions', eventName <> 'ListObjectVersions')
