-- title           = "Many objects of S3 were read and written over under their own names by a person"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.impact", "attack.t1486"]
-- remedy          = "Look at one of the objects: if it cannot be read any more, revoke the principal's sessions and keys, and restore earlier versions. Then ask whoever it was."
-- false_positives = "A script that changes files where they are, run by hand."
-- description     = "Who encrypts files with a key of their own fetches each and puts it back, under the same name or with a suffix to it: of at least twenty names nearly all are read and written, and little else is. It is told when the half hour is over."
SELECT userIdentity.arn AS who,
       count(DISTINCT split_part(requestParameters ->> 'key', '.', 1)) AS names,
       count(*) FILTER (WHERE eventName = 'DeleteObject') AS deleted,
       sample(requestParameters ->> 'key') AS some_objects,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample('arn:aws:s3:::' || (requestParameters ->> 'bucketName')) AS resource
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('GetObject', 'PutObject', 'DeleteObject')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND is_person()
GROUP BY userIdentity.arn, account, requestParameters ->> 'bucketName', hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
-- all names are few more than those read, and than those written: they are the same
HAVING count(DISTINCT split_part(requestParameters ->> 'key', '.', 1)) >= 20
   AND count(DISTINCT split_part(requestParameters ->> 'key', '.', 1)) <= count(DISTINCT split_part(requestParameters ->> 'key', '.', 1)) FILTER (WHERE eventName = 'PutObject') + 2
   AND count(DISTINCT split_part(requestParameters ->> 'key', '.', 1)) <= count(DISTINCT split_part(requestParameters ->> 'key', '.', 1)) FILTER (WHERE eventName = 'GetObject') + 2
