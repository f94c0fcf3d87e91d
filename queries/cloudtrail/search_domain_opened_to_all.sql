-- title           = "OpenSearch domain was opened to everybody"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.collection", "attack.t1530"]
-- remedy          = "See whether the domain is inside a VPC; if it has a public endpoint, narrow the access policy now and read the domain's audit log."
-- false_positives = "Domains in a VPC (low where the call says so) or with fine-grained access control, where the policy alone opens nothing."
SELECT eventTime,
       eventName,
       requestParameters ->> 'accessPolicies' AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements -> 'domainStatus' ->> 'aRN', requestParameters ->> 'domainName') AS resource,
       -- within a network its security groups decide, and AWS's own guide writes the policy so
       CASE WHEN json_length(requestParameters, 'vPCOptions', 'subnetIds') > 0 THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'es.amazonaws.com'
  AND eventName IN ('CreateElasticsearchDomain', 'UpdateElasticsearchDomainConfig', 'CreateDomain', 'UpdateDomainConfig')
  AND errorCode IS NULL
  AND array_any_match(
        coalesce(json_get_array(requestParameters ->> 'accessPolicies', 'Statement'),
                 make_array(json_get_json(requestParameters ->> 'accessPolicies', 'Statement'))),
        s -> s ->> 'Effect' = 'Allow'
             AND (regexp_like(s ->> 'Principal', '^[*]$|"(AWS|[*])"\s*:\s*(\[[^\]]*)?"[*]"') OR json_contains(s, 'NotPrincipal'))
             -- less conditions that hold for everybody: any value, half the internet, what holds as well where nothing is said
             AND (NOT regexp_like(regexp_replace(coalesce(s ->> 'Condition', ''), '(?i)"(ForAllValues:[a-z]+|[a-z:]*IfExists|Null)"\s*:\s*[{][^{}]*[}]|"aws:PrincipalIsAWSService"\s*:\s*"?false|"aws:PrincipalType"|"aws:(source|principal|userid)[a-z]*"\s*:\s*(\[[^\]]*)?"([*?]+|o-[*]|arn:[^":]*:(iam|sts)::[*]:[^"]*|[0-9.]+/[0-7]|[0-9a-f]*::/[0-3])"', '', 'g'), '(?i)aws:(Source|Principal)|kms:CallerAccount')
                  OR regexp_like(s ->> 'Condition', '(?i)"[a-z:]*Not(Equals|Like|IpAddress)|"(0\.0\.0\.0|::)/0"')))
