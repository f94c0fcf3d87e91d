-- title           = "Program looked into many more buckets than it ever does"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.collection", "attack.t1619", "attack.t1530"]
-- remedy          = "Ask the owner of the program. If it is meant to know one bucket: revoke the sessions of its role, find out how the credentials got out, and look at what was read of the buckets."
-- false_positives = "An inventory's or a migration's first run."
-- description     = "Who has the credentials of an instance or a program asks which buckets there are and lists each of them, from wherever and with whatever. Programs know one bucket or a few, and the same ones every day. Programs that never list are told by program_did_new_kind_of_deed, people by another rule."
SELECT coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       count(DISTINCT requestParameters ->> 'bucketName') AS buckets,
       sample(requestParameters ->> 'bucketName') AS some_buckets,
       count(*) AS calls,
       count(*) FILTER (WHERE errorCode IS NOT NULL) AS refused,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('ListObjects', 'ListObjectVersions', 'HeadBucket', 'GetBucketLocation', 'GetBucketAcl', 'GetBucketPolicy')
  AND userIdentity.invokedBy IS NULL
  AND NOT is_by_hand()
GROUP BY coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), tumble(eventTime, INTERVAL '10 minutes')
HAVING unusual_rate(count(DISTINCT requestParameters ->> 'bucketName'), 0.2)
   AND count(DISTINCT requestParameters ->> 'bucketName') >= 10
