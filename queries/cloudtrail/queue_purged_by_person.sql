-- title           = "Person deleted all messages of a queue"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485"]
-- remedy          = "Ask the owner whether the messages were needed: they cannot be had back. If the queue carries alarms or log notices, look what they would have told."
-- false_positives = "Developers who empty a queue of dead letters; on a third day of a week that is low, unless the queue is one of alarms, logs or events by its name."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       -- what would tell of an intruder stays as it is
       CASE WHEN days >= 3 AND NOT regexp_like(requestParameters ->> 'queueUrl', '(?i)alarm|alert|audit|event|guard|incident|log|notic|notif|secur|siem|trail') THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || (requestParameters ->> 'queueUrl')) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource = 'sqs.amazonaws.com'
        AND eventName = 'PurgeQueue'
        AND NOT is_infrastructure_tool()
        AND is_by_hand()
        AND userIdentity.invokedBy IS NULL
      WINDOW week AS (PARTITION BY account, CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN userIdentity.arn ELSE coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) END, errorCode IS NULL, regexp_like(requestParameters ->> 'queueUrl', '(?i)alarm|alert|audit|event|guard|incident|log|notic|notif|secur|siem|trail')
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL
