-- title           = "SQS queue was opened to another account"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.t1537"]
-- remedy          = "Put the earlier queue policy back; check what has been sent to or read from the queue by other accounts."
-- false_positives = "Sharing on purpose with an account of your own or of a partner."
SELECT eventTime,
       eventName,
       coalesce(requestParameters -> 'attributes' ->> 'Policy', requestParameters -> 'attribute' ->> 'Policy') AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'queueUrl', requestParameters ->> 'queueName') AS resource,
       CASE WHEN userIdentity.invokedBy = 'cloudformation.amazonaws.com' OR is_infrastructure_tool() AND NOT is_person() THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'sqs.amazonaws.com'
  AND eventName IN ('SetQueueAttributes', 'CreateQueue')
  AND errorCode IS NULL
  AND array_any_match(
        coalesce(json_get_array(without_own(coalesce(requestParameters -> 'attributes' ->> 'Policy', requestParameters -> 'attribute' ->> 'Policy'), account), 'Statement'),
                 make_array(json_get_json(without_own(coalesce(requestParameters -> 'attributes' ->> 'Policy', requestParameters -> 'attribute' ->> 'Policy'), account), 'Statement'))),
        s -> s ->> 'Effect' = 'Allow'
             AND (regexp_like(s ->> 'Principal', '(::|")[0-9]{12}[:"]|"A(RO|ID)A[0-9A-Z]{12,}"')
                  -- everybody, as long as it is that account
                  OR regexp_like(s ->> 'Principal', '[*]')
                     AND regexp_like(s ->> 'Condition', '(?i)"(aws:Principal(Account|Arn)|kms:CallerAccount)"[^]}]*[0-9]{12}')))
