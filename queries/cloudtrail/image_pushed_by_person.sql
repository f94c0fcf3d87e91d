-- title           = "Person pushed a container image to a repository"
-- severity        = "medium"
-- confidence      = "low"
-- tags            = ["attack.persistence", "attack.t1525", "attack.t1554"]
-- remedy          = "Compare the image with what the pipeline built from the same commit, and look at where it runs."
-- false_positives = "Developers who push by hand (low after a sign-in through IAM Identity Center)."
SELECT eventTime,
       eventName,
       requestParameters ->> 'imageTag' AS tag,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'repositoryName' AS resource,
       -- developers who signed in so try what they made
       CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'ecr.amazonaws.com'
  AND eventName = 'PutImage'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
