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
             AND (NOT regexp_like(coalesce(s ->> 'Condition', ''), '(?i)aws:(Source|Principal)|kms:CallerAccount')
                  OR regexp_like(s ->> 'Condition', '(?i)"[a-z:]*Not(Equals|Like|IpAddress)|"(0\.0\.0\.0|::)/0"')))
