-- title    = "Role was opened to every GitHub repository"
-- severity = "high"
-- tags     = ["attack.persistence", "attack.initial_access", "attack.t1098.003", "attack.t1199", "attack.t1078.004"]
-- remedy   = "Add a condition on token.actions.githubusercontent.com:sub that names your organization and repository, then look for AssumeRoleWithWebIdentity calls on the role from elsewhere."
SELECT eventTime, eventName,
       requestParameters ->> 'roleName' AS role,
       coalesce(requestParameters ->> 'policyDocument', requestParameters ->> 'assumeRolePolicyDocument') AS trust_policy,
       sourceIPAddress, userAgent,
       coalesce(json_get_str(responseElements, 'role', 'arn'), 'role/' || (requestParameters ->> 'roleName')) AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreateRole', 'UpdateAssumeRolePolicy')
  AND errorCode IS NULL
  AND coalesce(requestParameters ->> 'policyDocument', requestParameters ->> 'assumeRolePolicyDocument') LIKE '%oidc-provider/token.actions.githubusercontent.com%'
  -- the subject must name an owner: no condition on it, or a star in the owner's place, lets everyone in
  AND (NOT regexp_like(coalesce(requestParameters ->> 'policyDocument', requestParameters ->> 'assumeRolePolicyDocument'),
                       'token\.actions\.githubusercontent\.com:(sub|repository|repository_owner|repository_owner_id|repository_id|job_workflow_ref)"')
       OR regexp_like(coalesce(requestParameters ->> 'policyDocument', requestParameters ->> 'assumeRolePolicyDocument'),
                      ':sub"\s*:\s*(\[[^\]]*)?"(\*|repo:\*[^"]*)"'))
