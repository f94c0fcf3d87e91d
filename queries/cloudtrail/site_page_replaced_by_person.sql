-- title           = "Person replaced the start page or scripts of a web site's bucket"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1491.002", "attack.t1565.001"]
-- remedy          = "Compare the page with the reviewed one, and put that one back (versions)."
-- false_positives = "Editors who work by hand; a site that a user publishes on a third day of a week (low)."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       'arn:aws:s3:::' || (requestParameters ->> 'bucketName') AS resource,
       CASE WHEN days >= 3 THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days
      FROM cloudtrail
      WHERE eventSource = 's3.amazonaws.com'
        AND eventName = 'PutObject'
        AND regexp_like(requestParameters ->> 'key', '^(index|default|home|main)\.(html?|js)$')
        AND regexp_like(requestParameters ->> 'bucketName', '(?i)(^|[.-])(www|site|web|website|static|frontend)([.-]|$)')
        AND userIdentity.invokedBy IS NULL
        AND NOT is_infrastructure_tool()
        AND is_person()
      WINDOW week AS (PARTITION BY account, CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN userIdentity.arn ELSE coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) END, errorCode IS NULL, requestParameters ->> 'bucketName'
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL
