-- title           = "SNS topic was opened to another account"
-- severity        = "low"
-- tags            = ["attack.exfiltration", "attack.t1537"]
-- remedy          = "Put the earlier topic policy back; list the subscriptions and unsubscribe endpoints you do not know."
-- false_positives = "Sharing on purpose with an account of your own or of a partner."
SELECT eventTime,
       eventName,
       CASE WHEN eventName = 'CreateTopic' THEN requestParameters -> 'attributes' ->> 'Policy'
                             WHEN requestParameters ->> 'attributeName' = 'Policy' THEN requestParameters ->> 'attributeValue' END AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'topicArn', responseElements ->> 'topicArn', requestParameters ->> 'name') AS resource
FROM cloudtrail
WHERE eventSource = 'sns.amazonaws.com'
  AND eventName IN ('SetTopicAttributes', 'CreateTopic')
  AND errorCode IS NULL
  AND array_any_match(
        coalesce(json_get_array(replace(CASE WHEN eventName = 'CreateTopic' THEN requestParameters -> 'attributes' ->> 'Policy'
                             WHEN requestParameters ->> 'attributeName' = 'Policy' THEN requestParameters ->> 'attributeValue' END, account, ''), 'Statement'),
                 make_array(json_get_json(replace(CASE WHEN eventName = 'CreateTopic' THEN requestParameters -> 'attributes' ->> 'Policy'
                             WHEN requestParameters ->> 'attributeName' = 'Policy' THEN requestParameters ->> 'attributeValue' END, account, ''), 'Statement'))),
        s -> s ->> 'Effect' = 'Allow' AND regexp_like(s ->> 'Principal', '(::|")[0-9]{12}[:"]'))
