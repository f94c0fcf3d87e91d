-- title           = "Person deleted all messages of a queue"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485"]
-- remedy          = "Ask the owner whether the messages were needed: they cannot be had back. If the queue carries alarms or log notices, look what they would have told."
-- false_positives = "Developers who empty a queue of dead letters; on a third day of a week that is low."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       resource,
       CASE WHEN days >= 3 THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             sample(requestParameters ->> 'queueUrl') OVER week AS resource
      FROM cloudtrail
      WHERE eventSource = 'sqs.amazonaws.com'
        AND eventName = 'PurgeQueue'
        AND NOT is_infrastructure_tool()
        AND is_by_hand()
        AND userIdentity.invokedBy IS NULL
      WINDOW week AS (PARTITION BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn)
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL
