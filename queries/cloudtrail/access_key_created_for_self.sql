-- title           = "IAM user made itself another access key"
-- severity        = "low"
-- confidence      = "medium"
-- tags            = ["attack.persistence", "attack.t1098.001"]
-- remedy          = "Ask the user. If it was not them: delete the new key and the one that made it, and look at what both did. Who found a key makes one that its owner does not know."
-- false_positives = "Users who change their keys, as they should: in the console it is low."
SELECT eventTime,
       responseElements -> 'accessKey' ->> 'accessKeyId' AS new_key,
       userIdentity.accessKeyId AS made_with,
       sourceIPAddress,
       userAgent,
       userIdentity.arn AS resource,
       CASE WHEN userIdentity.accessKeyId LIKE 'AKIA%' THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'CreateAccessKey'
  AND userIdentity.type = 'IAMUser'
  AND coalesce(requestParameters ->> 'userName', userIdentity.userName) = userIdentity.userName
  AND errorCode IS NULL
