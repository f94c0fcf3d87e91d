-- title           = "Person asked for the policies or lists of many buckets with a tool"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.t1619", "attack.t1580"]
-- remedy          = "Ask whoever it was; a tool looks so for buckets that are open or hold much."
-- false_positives = "Audits that a person runs."
SELECT userIdentity.arn AS who,
       count(DISTINCT requestParameters ->> 'bucketName') AS buckets,
       sample(requestParameters ->> 'bucketName') AS some_buckets,
       sample(eventName) AS calls,
       count(*) FILTER (WHERE errorCode IS NOT NULL) AS refused,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(userIdentity.arn) AS resource
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('GetBucketPolicy', 'GetBucketAcl', 'GetBucketLocation', 'GetBucketPolicyStatus', 'ListObjects')
  AND userIdentity.invokedBy IS NULL
  AND sessionCredentialFromConsole IS NOT TRUE
  AND coalesce(userAgent, '') NOT LIKE '%Terraform%'
  AND is_by_hand()
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT requestParameters ->> 'bucketName') >= 20
