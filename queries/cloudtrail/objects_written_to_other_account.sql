-- title           = "Very many objects were written into a bucket of another account"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.t1537", "attack.t1020"]
-- remedy          = "Find out whose account it is (the bucket's owner is in the record). If it is none of yours or of a partner: revoke the principal's sessions, and see what was copied."
-- false_positives = "Feeds to partners by a machine (low)."
SELECT userIdentity.arn AS who,
       count(DISTINCT requestParameters ->> 'key') AS objects,
       sample(requestParameters ->> 'bucketName') AS buckets,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample('arn:aws:s3:::' || (requestParameters ->> 'bucketName')) AS resource,
       CASE WHEN count(*) FILTER (WHERE is_person()) > 0 THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('PutObject', 'CopyObject')
  AND without_own(coalesce(resources[2].accountid, resources[1].accountid), account) <> without_own(userIdentity.accountId, account)
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT requestParameters ->> 'key') >= 100
