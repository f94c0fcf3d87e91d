-- title           = "Very many objects were downloaded from S3 by a person or from outside"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.collection", "attack.exfiltration", "attack.t1530", "attack.t1567.002", "attack.t1119"]
-- remedy          = "Ask the principal where the copy is and what for. If nobody can say: revoke its sessions, and treat what the buckets hold as known to others."
-- false_positives = "A developer who syncs a bucket to look at it; partners who fetch their files every night."
SELECT coalesce(userIdentity.arn, userIdentity.principalId) AS who,
       count(DISTINCT requestParameters ->> 'key') AS objects,
       sum(json_get_int(additionalEventData, 'bytesTransferredOut')) AS bytes_sent,
       sample(requestParameters ->> 'bucketName') AS buckets,
       sample('arn:aws:s3:::' || (requestParameters ->> 'bucketName')) AS resource,
       sample(requestParameters ->> 'key') AS some_objects,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'GetObject'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (is_person() OR userIdentity.accountId <> account)
  -- who was given a signed link has the link, not the credentials
  AND additionalEventData ->> 'AuthenticationMethod' IS DISTINCT FROM 'QueryString'
GROUP BY coalesce(userIdentity.arn, userIdentity.principalId), account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT requestParameters ->> 'key') >= 1000
    -- a key that never ends is what is found and stolen
    OR count(DISTINCT requestParameters ->> 'key') FILTER (WHERE userIdentity.accessKeyId LIKE 'AKIA%') >= 300
