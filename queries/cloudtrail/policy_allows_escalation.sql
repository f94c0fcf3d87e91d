-- title           = "Policy was written that lets its holder give itself more rights"
-- severity        = "medium"
-- tags            = ["attack.privilege_escalation", "attack.persistence", "attack.t1098.003", "attack.t1548.005"]
-- remedy          = "Name the users and roles that it is meant for in place of the star, or add a permissions boundary; look at what the holders did in IAM since."
-- false_positives = "Roles of deployments and of identity management."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'userName', requestParameters ->> 'roleName', requestParameters ->> 'groupName') AS written_to,
       coalesce(requestParameters ->> 'policyDocument', requestParameters ->> 'inlinePolicy') AS document,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'policyArn', requestParameters ->> 'policyName', requestParameters ->> 'permissionSetArn') AS resource,
       -- policy_allows_everything, inline_admin_policy_written and permission_set_made_admin tell it
       CASE WHEN regexp_like(regexp_replace(coalesce(requestParameters ->> 'policyDocument', requestParameters ->> 'inlinePolicy'), '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Effect"\s*:\s*"Deny"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'), '"Action"\s*:\s*(\[[^\]]*)?"(\*|\*:\*|iam:\*)"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Resource"\s*:\s*(\[[^\]]*)?"\*"|"Resource"\s*:\s*(\[[^\]]*)?"\*"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Action"\s*:\s*(\[[^\]]*)?"(\*|\*:\*|iam:\*)"') THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource IN ('iam.amazonaws.com', 'sso.amazonaws.com')
  AND eventName IN ('CreatePolicy', 'CreatePolicyVersion', 'PutUserPolicy', 'PutRolePolicy', 'PutGroupPolicy', 'PutInlinePolicyToPermissionSet')
  AND array_any_match(
        coalesce(json_get_array(coalesce(requestParameters ->> 'policyDocument', requestParameters ->> 'inlinePolicy'), 'Statement'),
                 make_array(json_get_json(coalesce(requestParameters ->> 'policyDocument', requestParameters ->> 'inlinePolicy'), 'Statement'))),
        s -> s ->> 'Effect' = 'Allow'
             -- a condition that always holds is none: a day that is past, any ARN, half the internet
             AND NOT regexp_like(regexp_replace(coalesce(s ->> 'Condition', ''), '(?i)"DateGreaterThan(Equals)?"\s*:\s*[{][^{}]*[}]|"aws:SecureTransport"|"aws:(source|principal|userid)[a-z]*"\s*:\s*(\[[^\]]*)?"([*?]+|o-[*]|arn:[^":]*:(iam|sts)::[*]:[*]|[0-9.]+/[0-7]|[0-9a-f]*::/[0-3])"', '', 'g'), '"[A-Za-z0-9-]+:[A-Za-z]')
             AND (json_contains(s, 'NotResource')
                  OR regexp_like(s ->> 'Resource', '(^|")([*]|arn:[a-z-]+:[a-z*]*(:[*:]*)?|arn:[a-z-]+:iam::[0-9*]*:((user|role|group|policy)/)?[*])("|$)'))
             AND (regexp_like(s ->> 'Action', '(?i)(^|")(iam:([*?]+|[*]([a-z*]*(policy|accesskey|profile|group|version)[*]?)?|(pu?|at?|att|cr?|cre|up?|upd|se?|set|add?)[*]|(put|attach)([*]|(user|role|group)policy)|create([*]|accesskey|loginprofile|policyversion|servicespecificcredential)|update([*]|assumerolepolicy|loginprofile|samlprovider)|addusertogroup|setdefaultpolicyversion|delete(user|role)permissionsboundary)|i[*]:[*]|sso:([*]|(create|put|attach)[*]|createaccountassignment|putinlinepolicytopermissionset|attachmanagedpolicytopermissionset)|identitystore:([*]|create[*]|creategroupmembership)|sts:([*]|assumerole)|[*?]+(:[*?]+)?)("|$)')
                  -- all but IAM is what PowerUserAccess gives
                  OR json_contains(s, 'NotAction') AND NOT regexp_like(s ->> 'NotAction', '(?i)(^|")iam:[*]("|$)')))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
