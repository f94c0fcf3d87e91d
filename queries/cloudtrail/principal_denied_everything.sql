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
                               AND regexp_like(s ->> 'Action', '^(s3:)?[*]$|"(s3:)?[*]"')
                               AND NOT json_contains(s, 'Condition'))
       OR regexp_like(requestParameters ->> 'policyDocument', '"Effect"\s*:\s*"Deny"\s*,\s*"Action"\s*:\s*(\[\s*)?"[*]"|"Action"\s*:\s*(\[\s*)?"[*]"\s*\]?\s*,[^{}]*"Effect"\s*:\s*"Deny"'))
  AND NOT coalesce(requestParameters ->> 'policyDocument', '') LIKE '%"Condition"%'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
