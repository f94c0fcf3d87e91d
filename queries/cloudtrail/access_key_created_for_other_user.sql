-- title           = "Access key was created for another IAM user"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1098.001"]
-- remedy          = "Ask the owner of the user whether they wanted a key. If not: deactivate the key, then look for calls made with it and for what else the creator did."
-- false_positives = "Administrators and Terraform that hand out keys; prefer roles. A program that does so on a third day of a week (low), such as a vault."
SELECT eventTime,
       requestParameters ->> 'userName' AS for_user,
       json_get_str(responseElements, 'accessKey', 'accessKeyId') AS access_key,
       sourceIPAddress, userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN days >= 3 AND NOT is_person() THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || ('user/' || (requestParameters ->> 'userName'))) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource = 'iam.amazonaws.com'
        AND eventName = 'CreateAccessKey'
        AND requestParameters ->> 'userName' IS NOT NULL
        AND (requestParameters ->> 'userName' IS DISTINCT FROM userIdentity.userName)
      WINDOW week AS (PARTITION BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), is_person(), is_by_hand_or_script(), errorCode IS NULL
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL
