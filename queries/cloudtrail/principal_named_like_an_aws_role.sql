-- title    = "Role or user was given a name like those of AWS itself"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.persistence", "attack.t1136.003", "attack.t1036.010"]
-- remedy   = "Look at its trust policy and its permissions: AWS makes service-linked and Identity Center roles with calls of its own, so somebody wanted this to look like one. Delete it if nobody can explain it."
SELECT eventTime, eventName,
       coalesce(requestParameters ->> 'roleName', requestParameters ->> 'userName') AS name,
       requestParameters ->> 'assumeRolePolicyDocument' AS trust_policy,
       sourceIPAddress, userAgent,
       coalesce(json_get_str(responseElements, 'role', 'arn'), json_get_str(responseElements, 'user', 'arn'), requestParameters ->> 'roleName', requestParameters ->> 'userName') AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreateRole', 'CreateUser')
  AND regexp_like(coalesce(requestParameters ->> 'roleName', requestParameters ->> 'userName'), '(?i)^(AWSServiceRole|AWSReservedSSO|aws-reserved|aws-service-role)')
  AND userIdentity.invokedBy IS NULL
  AND errorCode IS NULL
