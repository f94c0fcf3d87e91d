-- title    = "Secret was opened to everybody"
-- severity = "high"
-- tags     = ["attack.credential_access", "attack.t1555.006"]
-- remedy   = "Delete the resource policy, rotate the secret, and look for GetSecretValue calls on it from elsewhere."
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
        coalesce(json_get_array(requestParameters ->> 'resourcePolicy', 'Statement'),
                 make_array(json_get_json(requestParameters ->> 'resourcePolicy', 'Statement'))),
        s -> s ->> 'Effect' = 'Allow'
             AND (regexp_like(s ->> 'Principal', '^[*]$|"(AWS|[*])"\s*:\s*(\[[^\]]*)?"[*]"') OR json_contains(s, 'NotPrincipal'))
             -- less conditions that hold for everybody: any value, half the internet, what holds as well where nothing is said
             AND (NOT regexp_like(regexp_replace(coalesce(s ->> 'Condition', ''), '(?i)"(ForAllValues:[a-z]+|[a-z:]*IfExists|Null)"\s*:\s*[{][^{}]*[}]|"aws:PrincipalIsAWSService"\s*:\s*"?false|"aws:PrincipalType"|"aws:(source|principal|userid)[a-z]*"\s*:\s*(\[[^\]]*)?"([*?]+|o-[*]|arn:[^":]*:(iam|sts)::[*]:[^"]*|[0-9.]+/[0-7]|[0-9a-f]*::/[0-3])"', '', 'g'), '(?i)aws:(Source|Principal)|kms:CallerAccount')
                  OR regexp_like(s ->> 'Condition', '(?i)"[a-z:]*Not(Equals|Like|IpAddress)|"(0\.0\.0\.0|::)/0"')))
