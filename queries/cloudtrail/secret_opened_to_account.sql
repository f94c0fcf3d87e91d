-- title           = "Secret was opened to another account"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.t1555.006"]
-- remedy          = "Delete the resource policy, rotate the secret, and look for GetSecretValue calls on it from elsewhere."
-- false_positives = "Sharing on purpose with an account of your own or of a partner."
SELECT eventTime,
       eventName,
       requestParameters ->> 'resourcePolicy' AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements ->> 'aRN', responseElements ->> 'ARN', requestParameters ->> 'secretId') AS resource
FROM cloudtrail
WHERE eventSource = 'secretsmanager.amazonaws.com'
  AND eventName = 'PutResourcePolicy'
  AND errorCode IS NULL
  AND array_any_match(
        coalesce(json_get_array(without_own(requestParameters ->> 'resourcePolicy', account), 'Statement'),
                 make_array(json_get_json(without_own(requestParameters ->> 'resourcePolicy', account), 'Statement'))),
        s -> s ->> 'Effect' = 'Allow'
             AND (regexp_like(s ->> 'Principal', '(::|")[0-9]{12}[:"]|"A(RO|ID)A[0-9A-Z]{12,}"')
                  -- everybody, as long as it is that account
                  OR regexp_like(s ->> 'Principal', '[*]')
                     AND regexp_like(s ->> 'Condition', '(?i)"(aws:Principal(Account|Arn)|kms:CallerAccount)"[^]}]*[0-9]{12}')))
