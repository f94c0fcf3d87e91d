-- title           = "Very many objects were copied from other buckets into one"
-- severity        = "low"
-- tags            = ["attack.collection", "attack.t1074.002", "attack.t1119", "attack.t1530"]
-- remedy          = "Ask the person what the bucket is for, and see who may read it. If nobody can say: deny reads of it, revoke the sessions of the principal, and look for GetObject, replication and changes of its policy."
-- false_positives = "Somebody who moves a bucket to another name or Region."
-- description     = "Five hundred objects in half an hour by a person, from a bucket with another name; from three buckets or more it is medium. Needs S3 data events."
SELECT userIdentity.arn AS who,
       count(DISTINCT requestParameters ->> 'key') AS objects,
       count(DISTINCT split_part(ltrim(replace(requestParameters ->> 'x-amz-copy-source', '%2F', '/'), '/'), '/', 1)) AS sources,
       sample(split_part(ltrim(replace(requestParameters ->> 'x-amz-copy-source', '%2F', '/'), '/'), '/', 1)) AS some_sources,
       'arn:aws:s3:::' || (requestParameters ->> 'bucketName') AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(DISTINCT split_part(ltrim(replace(requestParameters ->> 'x-amz-copy-source', '%2F', '/'), '/'), '/', 1)) >= 3 THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'CopyObject'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND split_part(ltrim(replace(requestParameters ->> 'x-amz-copy-source', '%2F', '/'), '/'), '/', 1) <> requestParameters ->> 'bucketName'
  AND is_person()
GROUP BY userIdentity.arn, account, requestParameters ->> 'bucketName', hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT requestParameters ->> 'key') >= 500
