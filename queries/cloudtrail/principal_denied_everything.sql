-- title           = "Policy that forbids everything was put on a user, group or role"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1531"]
-- remedy          = "Take the policy off if none of your responders put it there; whoever did wants the principal to do nothing."
-- false_positives = "Responders who stop a principal."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'policyDocument', requestParameters ->> 'policyArn') AS policy,
       sourceIPAddress,
       userAgent,
       coalesce('user/' || (requestParameters ->> 'userName'), 'role/' || (requestParameters ->> 'roleName'), 'group/' || (requestParameters ->> 'groupName')) AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('PutUserPolicy', 'PutGroupPolicy', 'PutRolePolicy', 'AttachUserPolicy', 'AttachGroupPolicy', 'AttachRolePolicy')
  AND (requestParameters ->> 'policyArn' LIKE 'arn:aws%:iam::aws:policy/AWSDenyAll'
       OR regexp_like(requestParameters ->> 'policyDocument', '"Effect"\s*:\s*"Deny"\s*,\s*"Action"\s*:\s*(\[\s*)?"[*]"|"Action"\s*:\s*(\[\s*)?"[*]"\s*\]?\s*,[^{}]*"Effect"\s*:\s*"Deny"'))
  AND NOT coalesce(requestParameters ->> 'policyDocument', '') LIKE '%"Condition"%'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
