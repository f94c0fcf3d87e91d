-- title           = "Credential report of the account was read"
-- severity        = "informational"
-- tags            = ["attack.discovery", "attack.t1087.004"]
-- remedy          = "Check that the principal is a tool of yours for audit; the report names every user, key age and missing MFA device. If it is not: disable its key or revoke its sessions, and look at what it called next."
-- false_positives = "Monthly audits."
SELECT eventTime, sourceIPAddress, userAgent,
       account AS resource,
       CASE WHEN (userIdentity.accessKeyId LIKE 'AKIA%' OR userIdentity.type = 'FederatedUser') AND coalesce(userAgent, '') NOT LIKE '%Terraform%'
                 OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL
                 OR is_by_hand() AND NOT is_person() THEN 'medium' ELSE 'informational' END AS severity
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'GetCredentialReport'
  AND errorCode IS NULL
