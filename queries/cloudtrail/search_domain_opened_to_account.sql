-- title           = "OpenSearch domain was opened to another account"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.collection", "attack.t1530"]
-- remedy          = "See whether the domain is inside a VPC; if it has a public endpoint, narrow the access policy now and read the domain's audit log."
-- false_positives = "Domains in a VPC or with fine-grained access control, where the policy alone opens nothing."
SELECT eventTime,
       eventName,
       requestParameters ->> 'accessPolicies' AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements -> 'domainStatus' ->> 'aRN', requestParameters ->> 'domainName') AS resource
FROM cloudtrail
WHERE eventSource = 'es.amazonaws.com'
  AND eventName IN ('CreateElasticsearchDomain', 'UpdateElasticsearchDomainConfig', 'CreateDomain', 'UpdateDomainConfig')
  AND errorCode IS NULL
  AND array_any_match(
        coalesce(json_get_array(without_own(requestParameters ->> 'accessPolicies', account), 'Statement'),
                 make_array(json_get_json(without_own(requestParameters ->> 'accessPolicies', account), 'Statement'))),
        s -> s ->> 'Effect' = 'Allow'
             AND (regexp_like(s ->> 'Principal', '(::|")[0-9]{12}[:"]|"A(RO|ID)A[0-9A-Z]{12,}"')
                  -- everybody, as long as it is that account
                  OR regexp_like(s ->> 'Principal', '[*]')
                     AND regexp_like(s ->> 'Condition', '(?i)"(aws:Principal(Account|Arn)|kms:CallerAccount)"[^]}]*[0-9]{12}')))
