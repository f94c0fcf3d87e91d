-- title           = "Person pushed a container image to a repository"
-- severity        = "medium"
-- confidence      = "low"
-- tags            = ["attack.persistence", "attack.t1525", "attack.t1554"]
-- remedy          = "Compare the image with what the pipeline built from the same commit, and look at where it runs."
-- false_positives = "Developers who push by hand (low after a sign-in through IAM Identity Center), and whoever pushes to a repository on a third day of a week (low)."
SELECT eventTime,
       eventName,
       requestParameters ->> 'imageTag' AS tag,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'repositoryName' AS resource,
       -- developers who signed in so try what they made
       CASE WHEN days >= 3 THEN 'low'
            WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days
      FROM cloudtrail
      WHERE eventSource = 'ecr.amazonaws.com'
        AND eventName = 'PutImage'
        AND userIdentity.invokedBy IS NULL
        AND NOT is_infrastructure_tool()
        AND is_by_hand()
      WINDOW week AS (PARTITION BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), errorCode IS NULL, requestParameters ->> 'repositoryName'
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL
