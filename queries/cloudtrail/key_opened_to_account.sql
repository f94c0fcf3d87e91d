-- title           = "KMS key was opened to another account"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.persistence", "attack.t1537"]
-- remedy          = "Put the earlier key policy back; list what the key protects and who has called Decrypt with it since."
-- false_positives = "Sharing on purpose with an account of your own or of a partner."
SELECT eventTime,
       eventName,
       requestParameters ->> 'policy' AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, responseElements -> 'keyMetadata' ->> 'arn', requestParameters ->> 'keyId', account) AS resource
FROM cloudtrail
WHERE eventSource = 'kms.amazonaws.com'
  AND eventName IN ('PutKeyPolicy', 'CreateKey', 'ReplicateKey')
  AND errorCode IS NULL
  AND array_any_match(
        coalesce(json_get_array(without_own(requestParameters ->> 'policy', account), 'Statement'),
                 make_array(json_get_json(without_own(requestParameters ->> 'policy', account), 'Statement'))),
        s -> s ->> 'Effect' = 'Allow'
             AND (regexp_like(s ->> 'Principal', '(::|")[0-9]{12}[:"]|"A(RO|ID)A[0-9A-Z]{12,}"')
                  -- everybody, as long as it is that account
                  OR regexp_like(s ->> 'Principal', '[*]')
                     AND regexp_like(s ->> 'Condition', '(?i)"(aws:Principal(Account|Arn)|kms:CallerAccount)"[^]}]*[0-9]{12}')))
