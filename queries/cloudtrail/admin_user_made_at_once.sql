-- title           = "User was created, made administrator and given credentials in one go"
-- severity        = "high"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1136.003", "attack.t1098.001", "attack.t1098.003"]
-- remedy          = "Ask the principal on another channel. If it was not meant: delete the user's keys and password, then the user, disable the principal, and look at what both did."
-- false_positives = "The first user of an account; an emergency user that is made on purpose."
SELECT userIdentity.arn AS who,
       requestParameters ->> 'userName' AS user_name,
       sample(eventName) AS calls,
       sample(coalesce(requestParameters ->> 'policyArn', requestParameters ->> 'groupName', requestParameters ->> 'policyName')) AS rights,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       'user/' || (requestParameters ->> 'userName') AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreateUser', 'AttachUserPolicy', 'PutUserPolicy', 'AddUserToGroup', 'CreateAccessKey', 'CreateLoginProfile')
  AND errorCode IS NULL
  AND requestParameters ->> 'userName' IS NOT NULL
GROUP BY userIdentity.arn, account, requestParameters ->> 'userName', hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(*) FILTER (WHERE eventName = 'CreateUser') >= 1
   AND count(*) FILTER (WHERE eventName IN ('CreateAccessKey', 'CreateLoginProfile')) >= 1
   AND count(*) FILTER (WHERE regexp_like(requestParameters ->> 'policyArn', ':aws:policy/(AdministratorAccess|IAMFullAccess|PowerUserAccess)$')
                           OR regexp_like(requestParameters ->> 'groupName', 'admin|root|power|owner', 'i')
                           OR regexp_like(requestParameters ->> 'policyDocument', '"Action"\s*:\s*\[?\s*"([*]+|(?i:[i?]?[a?]?[*]+[a?]?[m?]?|[i?][a?][m?]):[*?]*[*])"')) >= 1
