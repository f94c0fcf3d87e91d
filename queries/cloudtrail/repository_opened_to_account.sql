-- title           = "ECR repository was opened to another account"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.t1537", "attack.persistence", "attack.t1525"]
-- remedy          = "Put the earlier repository policy back; if push was granted, compare the image digests with your builds before the next deployment."
-- false_positives = "Sharing on purpose with an account of your own or of a partner."
SELECT eventTime,
       eventName,
       requestParameters ->> 'policyText' AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, requestParameters ->> 'repositoryName') AS resource
FROM cloudtrail
WHERE eventSource = 'ecr.amazonaws.com'
  AND eventName = 'SetRepositoryPolicy'
  AND errorCode IS NULL
  AND array_any_match(
        coalesce(json_get_array(without_own(requestParameters ->> 'policyText', account), 'Statement'),
                 make_array(json_get_json(without_own(requestParameters ->> 'policyText', account), 'Statement'))),
        s -> s ->> 'Effect' = 'Allow'
             AND (regexp_like(s ->> 'Principal', '(::|")[0-9]{12}[:"]|"A(RO|ID)A[0-9A-Z]{12,}"')
                  -- everybody, as long as it is that account
                  OR regexp_like(s ->> 'Principal', '[*]')
                     AND regexp_like(s ->> 'Condition', '(?i)"(aws:Principal(Account|Arn)|kms:CallerAccount)"[^]}]*[0-9]{12}')))
