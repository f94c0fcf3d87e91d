-- title      = "IAM user assumed an administrator role without MFA"
-- severity   = "low"
-- tags       = ["attack.privilege_escalation", "attack.lateral_movement", "attack.t1548.005", "attack.t1078.004"]
-- remedy     = "Demand MFA in the trust policy of the role (aws:MultiFactorAuthPresent), and ask the user whether it was them."
-- confidence = "low"
-- key        = ["account", "userIdentity.arn", "requestParameters ->> 'roleArn'"]
SELECT eventTime, userIdentity.userName,
       requestParameters ->> 'roleArn' AS resource,
       requestParameters ->> 'roleSessionName' AS session,
       sourceIPAddress, userAgent
FROM cloudtrail
WHERE eventSource = 'sts.amazonaws.com'
  AND eventName = 'AssumeRole'
  AND userIdentity.type = 'IAMUser'
  AND requestParameters ->> 'serialNumber' IS NULL
  AND coalesce(userIdentity.sessionContext.attributes.mfaAuthenticated, 'false') <> 'true'
  AND regexp_like(requestParameters ->> 'roleArn', '(?i):role/(.*/)?([a-z0-9_+=,.@-]*[^a-z])?(admins?|administrators?|administratoraccess|organizationaccountaccessrole)([^a-z/][^/]*)?$')
  AND errorCode IS NULL
