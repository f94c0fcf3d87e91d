-- title           = "Whole IAM configuration of the account was read"
-- severity        = "low"
-- tags            = ["attack.discovery", "attack.t1087.004", "attack.t1069.003", "attack.t1580"]
-- remedy          = "Check that the principal is a tool of yours for inventory or audit; the answer lists every user, role, policy and trust. If it is not: disable its key or revoke its sessions, and look at what it called next."
-- false_positives = "Inventory, posture and audit tools."
SELECT eventTime, sourceIPAddress, userAgent, errorCode,
       account AS resource,
       CASE WHEN errorCode IS NOT NULL AND userIdentity.sessionContext.ec2RoleDelivery IS NULL THEN 'informational'
            -- an instance has no use for it, and asks on behalf of who got into it
            WHEN userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL OR (userIdentity.accessKeyId LIKE 'AKIA%' OR userIdentity.type = 'FederatedUser')
                 OR is_by_hand() AND NOT is_person() THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NOT NULL THEN 'Somebody tried to read the whole IAM configuration of the account'
            ELSE 'Whole IAM configuration of the account was read' END AS title
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'GetAccountAuthorizationDetails'
