-- title    = "KMS key was opened to everybody"
-- severity = "high"
-- tags     = ["attack.exfiltration", "attack.persistence", "attack.t1537"]
-- remedy   = "Put the earlier key policy back; list what the key protects and who has called Decrypt with it since."
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
        coalesce(json_get_array(requestParameters ->> 'policy', 'Statement'),
                 make_array(json_get_json(requestParameters ->> 'policy', 'Statement'))),
        s -> s ->> 'Effect' = 'Allow'
             AND (regexp_like(s ->> 'Principal', '^[*]$|"(AWS|[*])"\s*:\s*(\[[^\]]*)?"[*]"') OR json_contains(s, 'NotPrincipal'))
             -- less conditions that hold for everybody: any value, half the internet, what holds as well where nothing is said
             AND (NOT regexp_like(regexp_replace(coalesce(s ->> 'Condition', ''), '(?i)"(ForAllValues:[a-z]+|[a-z:]*IfExists|Null)"\s*:\s*[{][^{}]*[}]|"aws:PrincipalIsAWSService"\s*:\s*"?false|"aws:PrincipalType"|"aws:(source|principal|userid)[a-z]*"\s*:\s*(\[[^\]]*)?"([*?]+|o-[*]|arn:[^":]*:(iam|sts)::[*]:[^"]*|[0-9.]+/[0-7]|[0-9a-f]*::/[0-3])"', '', 'g'), '(?i)aws:(Source|Principal)|kms:CallerAccount')
                  OR regexp_like(s ->> 'Condition', '(?i)"[a-z:]*Not(Equals|Like|IpAddress)|"(0\.0\.0\.0|::)/0"')))
