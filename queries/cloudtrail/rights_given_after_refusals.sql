-- title           = "Rights or credentials were given in IAM by a principal that had just been refused several other IAM calls"
-- severity        = "high"
-- tags            = ["attack.privilege_escalation", "attack.persistence", "attack.t1098", "attack.t1098.003"]
-- remedy          = "Undo the change, then revoke the sessions or disable the key of the principal; look for calls of whoever got the rights since."
-- false_positives = "A person who sets up a new account and finds by trying which rights are missing."
-- description     = "Whoever holds a stolen key does not know what it may do, and tries. This is the try that worked: a change of rights or credentials, in the half hour before which at least six kinds of IAM calls of the same principal were refused."
SELECT eventTime, eventName, refused, tried, sourceIPAddress, userAgent,
       coalesce(requestParameters ->> 'userName', requestParameters ->> 'roleName', requestParameters ->> 'groupName', requestParameters ->> 'policyArn') AS resource
FROM (SELECT *,
             count(DISTINCT eventName) FILTER (WHERE errorCode IS NOT NULL) OVER before AS refused,
             sample(eventName) OVER before AS tried
      FROM cloudtrail
      WHERE eventSource = 'iam.amazonaws.com'
        -- the pages of the console ask for much that few may see
        AND (errorCode = 'AccessDenied'
             AND NOT (sessionCredentialFromConsole IS TRUE AND readOnly IS TRUE)
             OR errorCode IS NULL
                AND eventName IN ('AddUserToGroup', 'AttachGroupPolicy', 'AttachRolePolicy', 'AttachUserPolicy', 'CreateAccessKey', 'CreateLoginProfile',
                                  'CreatePolicyVersion', 'PutGroupPolicy', 'PutRolePolicy', 'PutUserPolicy', 'SetDefaultPolicyVersion', 'UpdateAssumeRolePolicy', 'UpdateLoginProfile'))
        AND userIdentity.invokedBy IS NULL
      WINDOW before AS (PARTITION BY account, userIdentity.arn ORDER BY eventTime
                        RANGE BETWEEN INTERVAL '30 minutes' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL
  AND refused >= 6
