-- title    = "SQS queue was opened to everybody"
-- severity = "medium"
-- tags     = ["attack.exfiltration", "attack.t1537"]
-- remedy   = "Put the earlier queue policy back; check what has been sent to or read from the queue by other accounts."
SELECT eventTime,
       eventName,
       coalesce(requestParameters -> 'attributes' ->> 'Policy', requestParameters -> 'attribute' ->> 'Policy') AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'queueUrl', requestParameters ->> 'queueName') AS resource
FROM cloudtrail
WHERE eventSource = 'sqs.amazonaws.com'
  AND eventName IN ('SetQueueAttributes', 'CreateQueue')
  AND errorCode IS NULL
  AND array_any_match(
        coalesce(json_get_array(coalesce(requestParameters -> 'attributes' ->> 'Policy', requestParameters -> 'attribute' ->> 'Policy'), 'Statement'),
                 make_array(json_get_json(coalesce(requestParameters -> 'attributes' ->> 'Policy', requestParameters -> 'attribute' ->> 'Policy'), 'Statement'))),
        s -> s ->> 'Effect' = 'Allow'
             AND (regexp_like(s ->> 'Principal', '^[*]$|"(AWS|[*])"\s*:\s*(\[[^\]]*)?"[*]"') OR json_contains(s, 'NotPrincipal'))
             -- less conditions that hold for everybody: any value, half the internet, what holds as well where nothing is said
             AND (NOT regexp_like(regexp_replace(coalesce(s ->> 'Condition', ''), '(?i)"(ForAllValues:[a-z]+|[a-z:]*IfExists|Null)"\s*:\s*[{][^{}]*[}]|"aws:PrincipalIsAWSService"\s*:\s*"?false|"aws:PrincipalType"|"aws:(source|principal|userid)[a-z]*"\s*:\s*(\[[^\]]*)?"([*?]+|o-[*]|arn:[^":]*:(iam|sts)::[*]:[^"]*|[0-9.]+/[0-7]|[0-9a-f]*::/[0-3])"', '', 'g'), '(?i)aws:(Source|Principal)|kms:CallerAccount')
                  OR regexp_like(s ->> 'Condition', '(?i)"[a-z:]*Not(Equals|Like|IpAddress)|"(0\.0\.0\.0|::)/0"')))
