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
       CASE WHEN regexp_like(regexp_replace(coalesce(requestParameters ->> 'policyDocument', requestParameters ->> 'inlinePolicy'), '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Effect"\s*:\s*"Deny"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'), '"Action"\s*:\s*(\[[^\]]*)?"([*]+|(?i:[i?]?[a?]?[*]+[a?]?[m?]?|[i?][a?][m?]):[*?]*[*])"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Resource"\s*:\s*(\[[^\]]*)?"\*"|"Resource"\s*:\s*(\[[^\]]*)?"\*"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Action"\s*:\s*(\[[^\]]*)?"([*]+|(?i:[i?]?[a?]?[*]+[a?]?[m?]?|[i?][a?][m?]):[*?]*[*])"') THEN 'low' ELSE 'medium' END AS severity
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
                  OR regexp_like(s ->> 'Resource', '(^|")([*]|arn:[a-z*-]+:[a-z*]*(:[*:]*)?|arn:[a-z*-]+:iam::[0-9*?]*:[a-z]*[*/]*[*])("|$)'))
             -- the actions make a pattern, to see which of these they cover: of what may stand in one, only stars and question marks mean something
             AND (regexp_like(' iam:attachuserpolicy iam:attachgrouppolicy iam:attachrolepolicy iam:putuserpolicy iam:putgrouppolicy iam:putrolepolicy iam:createaccesskey iam:createloginprofile iam:createpolicyversion iam:createservicespecificcredential iam:updateassumerolepolicy iam:updateloginprofile iam:updatesamlprovider iam:addusertogroup iam:setdefaultpolicyversion iam:deleteuserpermissionsboundary iam:deleterolepermissionsboundary sso:createaccountassignment sso:putinlinepolicytopermissionset sso:attachmanagedpolicytopermissionset identitystore:creategroupmembership sts:assumerole ',
                              ' (' || replace(replace(replace(regexp_replace(lower(s ->> 'Action'), '[^a-z0-9:*?,-]', '', 'g'), ',', '|'), '?', '[a-z:]'), '*', '[a-z:]*') || ') ')
                  -- all but IAM is what PowerUserAccess gives
                  OR json_contains(s, 'NotAction') AND NOT regexp_like(s ->> 'NotAction', '(?i)(^|")iam:[*]("|$)')))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
