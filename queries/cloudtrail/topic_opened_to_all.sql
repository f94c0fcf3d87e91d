-- title    = "SNS topic was opened to everybody"
-- severity = "medium"
-- tags     = ["attack.exfiltration", "attack.t1537"]
-- remedy   = "Put the earlier topic policy back; list the subscriptions and unsubscribe endpoints you do not know."
SELECT eventTime,
       eventName,
       coalesce(requestParameters -> 'attributes' ->> 'Policy', requestParameters ->> 'attributeValue') AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'topicArn', responseElements ->> 'topicArn', requestParameters ->> 'name') AS resource
FROM cloudtrail
WHERE eventSource = 'sns.amazonaws.com'
  AND eventName IN ('SetTopicAttributes', 'CreateTopic')
  AND errorCode IS NULL
  AND array_any_match(
        coalesce(json_get_array(coalesce(requestParameters -> 'attributes' ->> 'Policy', requestParameters ->> 'attributeValue'), 'Statement'),
                 make_array(json_get_json(coalesce(requestParameters -> 'attributes' ->> 'Policy', requestParameters ->> 'attributeValue'), 'Statement'))),
        s -> s ->> 'Effect' = 'Allow'
             AND (regexp_like(s ->> 'Principal', '^[*]$|"(AWS|[*])"\s*:\s*(\[[^\]]*)?"[*]"') OR json_contains(s, 'NotPrincipal'))
             AND (NOT regexp_like(coalesce(s ->> 'Condition', ''), '(?i)aws:(Source|Principal)|kms:CallerAccount')
                  OR regexp_like(s ->> 'Condition', '(?i)"[a-z:]*Not(Equals|Like|IpAddress)|"(0\.0\.0\.0|::)/0"')))
