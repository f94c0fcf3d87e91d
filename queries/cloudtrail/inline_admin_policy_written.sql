-- title    = "Inline policy that allows everything was written"
-- severity = "medium"
-- tags     = ["attack.privilege_escalation", "attack.persistence", "attack.t1098.003", "cis.1.16"]
-- remedy   = "Delete the inline policy, or replace it with one that names actions and resources; look at what the principal has done since."
SELECT eventTime, eventName,
       coalesce(requestParameters ->> 'userName', requestParameters ->> 'roleName', requestParameters ->> 'groupName') AS written_to,
       requestParameters ->> 'policyName' AS policy,
       requestParameters ->> 'policyDocument' AS document,
       sourceIPAddress, userAgent,
       CASE eventName WHEN 'PutUserPolicy' THEN 'user/' || (requestParameters ->> 'userName')
                      WHEN 'PutRolePolicy' THEN 'role/' || (requestParameters ->> 'roleName')
                      ELSE 'group/' || (requestParameters ->> 'groupName') END AS resource,
       CASE WHEN eventName = 'PutUserPolicy' THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('PutUserPolicy', 'PutRolePolicy', 'PutGroupPolicy')
  AND errorCode IS NULL
  AND requestParameters ->> 'policyDocument' LIKE '%"*"%' -- equivalent: the next condition finds this star, later
  -- statements that deny are taken out; then both stars must stand in one statement
  AND regexp_like(
        regexp_replace(requestParameters ->> 'policyDocument', '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Effect"\s*:\s*"Deny"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'),
        '"Action"\s*:\s*(\[[^\]]*)?"([*]+|(?i:[i?]?[a?]?[*]+[a?]?[m?]?|[i?][a?][m?]):[*?]*[*])"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Resource"\s*:\s*(\[[^\]]*)?"\*"|"Resource"\s*:\s*(\[[^\]]*)?"\*"([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*"Action"\s*:\s*(\[[^\]]*)?"([*]+|(?i:[i?]?[a?]?[*]+[a?]?[m?]?|[i?][a?][m?]):[*?]*[*])"')
