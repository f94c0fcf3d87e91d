-- title           = "Person pulled images of many container repositories"
-- severity        = "medium"
-- tags            = ["attack.collection", "attack.credential_access", "attack.t1530", "attack.t1213", "attack.t1552.001"]
-- remedy          = "Ask what for; images hold code and now and then keys: rotate those if nobody can say."
-- false_positives = "Developers who set up a new machine."
SELECT userIdentity.arn AS who,
       count(DISTINCT requestParameters ->> 'repositoryName') AS repositories,
       sample(requestParameters ->> 'repositoryName') AS some_of_them,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(requestParameters ->> 'repositoryName') AS resource
FROM cloudtrail
WHERE eventSource = 'ecr.amazonaws.com'
  AND eventName IN ('BatchGetImage', 'GetDownloadUrlForLayer')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND is_person()
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT requestParameters ->> 'repositoryName') >= 10
