-- title           = "Lambda function got a URL that asks for no credentials"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.t1133", "attack.exfiltration"]
-- remedy          = "Set the URL's auth type to AWS_IAM or delete it (DeleteFunctionUrlConfig), and read what the function does and may do."
-- false_positives = "A pipeline that makes one for each branch: low from the third day of a week on."
SELECT eventTime,
       eventName,
       responseElements ->> 'functionUrl' AS url,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN days >= 3 AND NOT is_person() THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || coalesce(responseElements ->> 'functionArn', requestParameters ->> 'functionName')) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource = 'lambda.amazonaws.com'
        AND (eventName LIKE 'CreateFunctionUrlConfig%' OR eventName LIKE 'UpdateFunctionUrlConfig%')
        AND requestParameters ->> 'authType' = 'NONE'
      WINDOW week AS (PARTITION BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), is_person(), is_by_hand_or_script(), errorCode IS NULL
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL
