-- title           = "Very many objects were written over themselves with other encryption by a person or at a command line"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1486"]
-- remedy          = "Ask whoever it was; see with which key they are encrypted now and who may use it, and restore earlier versions if nobody can say."
-- false_positives = "A change of keys that somebody does by hand."
SELECT userIdentity.arn AS who,
       count(DISTINCT requestParameters ->> 'key') AS objects,
       sample(requestParameters ->> 'x-amz-server-side-encryption-aws-kms-key-id') AS keys,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample('arn:aws:s3:::' || (requestParameters ->> 'bucketName')) AS resource
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'CopyObject'
  AND split_part(ltrim(replace(requestParameters ->> 'x-amz-copy-source', '%2F', '/'), '/'), '?', 1) = (requestParameters ->> 'bucketName') || '/' || (requestParameters ->> 'key')
  AND json_contains(requestParameters, 'x-amz-server-side-encryption')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  -- instances write as they are told to every night
  AND is_by_hand()
  AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT requestParameters ->> 'key') >= 100
