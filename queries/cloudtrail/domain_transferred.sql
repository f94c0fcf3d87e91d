-- title    = "Domain was unlocked or handed to another account or registrar"
-- severity = "high"
-- tags     = ["attack.impact", "attack.resource_development", "attack.t1584.001"]
-- remedy   = "Lock the domain (EnableDomainTransferLock), cancel a pending transfer (CancelDomainTransferToAnotherAwsAccount), and secure the registrant's mailbox."
SELECT eventTime,
       eventName,
       requestParameters ->> 'accountId' AS to_account,
       errorCode,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'domainName' AS resource,
       CASE WHEN errorCode IS NULL THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Domain was unlocked or handed to another account or registrar'
            ELSE 'Somebody tried to unlock a domain or to hand it to another account' END AS title
FROM cloudtrail
WHERE eventSource = 'route53domains.amazonaws.com'
  AND eventName IN ('TransferDomainToAnotherAwsAccount', 'DisableDomainTransferLock', 'RetrieveDomainAuthCode', 'PushDomain')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
