-- title           = "Policy that forbids everything was put on a user, group or role"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1531"]
-- remedy          = "Take the policy off if none of your responders put it there; whoever did wants the principal to do nothing."
-- false_positives = "Responders who stop a principal."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'policyDocument', requestParameters ->> 'policyArn', requestParameters ->> 'permissionsBoundary') AS policy,
       sourceIPAddress,
       userAgent,
       coalesce('user/' || (requestParameters ->> 'userName'), 'role/' || (requestParameters ->> 'roleName'), 'group/' || (requestParameters ->> 'groupName'), 'arn:aws:s3:::' || (requestParameters ->> 'bucketName'), requestParameters ->> 'policyArn') AS resource,
       CASE WHEN eventName = 'CreatePolicyVersion' THEN 'Managed policy was made to forbid its holders everything'
            WHEN eventName LIKE 'Put%PermissionsBoundary' THEN 'Boundary that forbids everything was put on a user or role'
            WHEN eventSource = 's3.amazonaws.com' THEN 'Bucket policy was written that forbids everything to everybody'
            ELSE 'Policy that forbids everything was put on a user, group or role' END AS title
FROM cloudtrail
WHERE eventSource IN ('iam.amazonaws.com', 's3.amazonaws.com')
  AND eventName IN ('PutUserPolicy', 'PutGroupPolicy', 'PutRolePolicy', 'AttachUserPolicy', 'AttachGroupPolicy', 'AttachRolePolicy', 'PutBucketPolicy', 'PutUserPermissionsBoundary', 'PutRolePermissionsBoundary', 'CreatePolicyVersion')
  -- of a managed policy its holders have the version in force
  AND (eventName <> 'CreatePolicyVersion'
       OR requestParameters ->> 'setAsDefault' = 'true')
  AND (coalesce(requestParameters ->> 'policyArn', requestParameters ->> 'permissionsBoundary') LIKE 'arn:aws%:iam::aws:policy/AWSDenyAll'
       -- a bucket that nobody gets at
       OR array_any_match(coalesce(json_get_array(requestParameters, 'bucketPolicy', 'Statement'), make_array(json_get_json(requestParameters, 'bucketPolicy', 'Statement'))),
                          s -> s ->> 'Effect' = 'Deny'
                               AND regexp_like(s ->> 'Principal', '^[*]$|"AWS"\s*:\s*(\[\s*)?"[*]"')
                               AND (json_contains(s, 'NotAction')
                                    OR regexp_like(s ->> 'Action', '(?i)^(s3:)?[*]$|"(s3:)?[*]"'))
                               -- a condition that always holds is none: TLS, as every call, or any name
                               AND regexp_like(regexp_replace(coalesce(s ->> 'Condition', ''), '(?i)"(Bool|StringLike|ArnLike)(IfExists)?"\s*:\s*[{]\s*("aws:SecureTransport"\s*:\s*(\[\s*)?"?true"?|"aws:[a-z]+"\s*:\s*(\[\s*)?"[*]+")\s*\]?\s*[}]', '', 'g'), '^([{][\s,]*[}])?$'))
       OR array_any_match(coalesce(json_get_array(requestParameters ->> 'policyDocument', 'Statement'), make_array(json_get_json(requestParameters ->> 'policyDocument', 'Statement'))),
                          s -> s ->> 'Effect' = 'Deny'
                               AND (regexp_like(s ->> 'Action', '(^|")[*](:[*])?("|$)')
                                    -- all but some single calls is nearly everything; all but whole services is a fence
                                    OR json_contains(s, 'NotAction') AND NOT regexp_like(s ->> 'NotAction', '[*]'))
                               AND (json_contains(s, 'NotResource')
                                    OR regexp_like(s ->> 'Resource', '^[*]$|"[*]"'))
                               AND regexp_like(regexp_replace(coalesce(s ->> 'Condition', ''), '(?i)"(Bool|StringLike|ArnLike)(IfExists)?"\s*:\s*[{]\s*("aws:SecureTransport"\s*:\s*(\[\s*)?"?true"?|"aws:[a-z]+"\s*:\s*(\[\s*)?"[*]+")\s*\]?\s*[}]', '', 'g'), '^([{][\s,]*[}])?$')))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
