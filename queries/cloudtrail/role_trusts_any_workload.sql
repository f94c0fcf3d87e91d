-- title    = "Role trusts every customer of a provider of workload identities"
-- severity = "high"
-- tags     = ["attack.persistence", "attack.privilege_escalation", "attack.t1098.003", "attack.initial_access", "attack.t1199"]
-- remedy   = "Name your own organization, project or identity pool in the conditions of the trust policy, and read who assumed the role since."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'policyDocument', requestParameters ->> 'assumeRolePolicyDocument') AS trust_policy,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'roleName' AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreateRole', 'UpdateAssumeRolePolicy')
  AND errorCode IS NULL
  AND array_any_match(
        coalesce(json_get_array(coalesce(requestParameters ->> 'policyDocument', requestParameters ->> 'assumeRolePolicyDocument'), 'Statement'),
                 make_array(json_get_json(coalesce(requestParameters ->> 'policyDocument', requestParameters ->> 'assumeRolePolicyDocument'), 'Statement'))),
        s -> s ->> 'Effect' = 'Allow'
             AND (regexp_like(s ->> 'Principal', ':oidc-provider/(gitlab[.]com|app[.]terraform[.]io|agent[.]buildkite[.]com)"')
                      -- the subject must name an owner: no condition on it, or a star in the owner's place, lets everyone in
                      AND (NOT regexp_like(coalesce(s ->> 'Condition', ''), '(gitlab[.]com|app[.]terraform[.]io|agent[.]buildkite[.]com):(sub|namespace_(path|id)|project_(path|id)|terraform_organization_(name|id)|organization_(slug|id))"')
                           OR regexp_like(s ->> 'Condition', ':sub"\s*:\s*(\[[^\]]*)?"(project_path:|organization:)?[*]'))
                  -- any application of the provider's, unless one is named
                  OR regexp_like(s ->> 'Principal', '"(accounts[.]google[.]com|graph[.]facebook[.]com|www[.]amazon[.]com)"')
                      AND NOT regexp_like(coalesce(s ->> 'Condition', ''), '"(accounts[.]google[.]com:(aud|oaud|sub)|(graph[.]facebook[.]com|www[.]amazon[.]com):app_id)"')
                  -- any identity pool of any account, unless one is named
                  OR s ->> 'Principal' LIKE '%"cognito-identity.amazonaws.com"%'
                      AND coalesce(s ->> 'Condition', '') NOT LIKE '%"cognito-identity.amazonaws.com:aud"%'))
