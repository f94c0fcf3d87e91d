-- title           = "Names of users and roles of another account were guessed by policies"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.t1087.004", "attack.t1069.003"]
-- remedy          = "Find out who writes these policies: each asks AWS whether a principal exists, and the other account sees nothing of it."
-- false_positives = "A deployment that names a role which is not there yet, tried again and again."
SELECT userIdentity.arn AS who,
       count(*) AS guesses,
       sample(eventName) AS calls,
       sample(requestParameters ->> 'policyDocument') AS policies,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(coalesce(requestParameters ->> 'roleName', requestParameters ->> 'bucketName', requestParameters ->> 'topicArn', requestParameters ->> 'queueUrl', eventName)) AS resource
FROM cloudtrail
WHERE eventName IN ('UpdateAssumeRolePolicy', 'PutBucketPolicy', 'SetQueueAttributes', 'SetTopicAttributes', 'PutKeyPolicy', 'SetRepositoryPolicy')
  AND errorCode IN ('MalformedPolicyDocumentException', 'MalformedPolicy', 'InvalidAttributeValue', 'InvalidParameter', 'InvalidParameterException')
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(*) >= 10
