-- title           = "Trust of a role was changed to let a user, a person's session, a certificate or a service in"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1098.003", "attack.t1098"]
-- remedy          = "Compare with the trust policy before (Config keeps it); put it back if nobody claims the change, and look for AssumeRole calls since."
-- false_positives = "Administrators at work."
SELECT eventTime,
       eventName,
       requestParameters ->> 'policyDocument' AS trust_policy,
       sourceIPAddress,
       userAgent,
       'role/' || (requestParameters ->> 'roleName') AS resource,
       -- role_trust_opened tells it; a service is let in for who may pass the role
       CASE WHEN NOT regexp_like(requestParameters ->> 'policyDocument', '"(AWS|Federated)"\s*:|"NotPrincipal"|rolesanywhere\.amazonaws\.com')
                 OR regexp_like(regexp_replace(replace(requestParameters ->> 'policyDocument', account, 'own'), '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Effect"\s*:\s*"Deny"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'), '"AWS"\s*:\s*(\[[^\]]*)?"((arn:[a-z-]+:(iam|sts)::)?[0-9]{12}|A(RO|ID)A[0-9A-Z]{12,}")|"(AWS|Principal)"\s*:\s*(\[[^\]]*)?"\*"') THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'UpdateAssumeRolePolicy'
  AND (regexp_like(requestParameters ->> 'policyDocument', ':user/|"NotPrincipal"|rolesanywhere\.amazonaws\.com|cognito-identity\.amazonaws\.com|accounts\.google\.com|graph\.facebook\.com|www\.amazon\.com')
       OR regexp_like(requestParameters ->> 'policyDocument', '"(AWS|Federated|Service)"\s*:')
          AND NOT is_infrastructure_tool()
          AND is_by_hand_or_script())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
