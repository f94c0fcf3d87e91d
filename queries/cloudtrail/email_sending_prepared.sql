-- title           = "Account was prepared to send e-mail"
-- severity        = "low"
-- tags            = ["attack.resource_development", "attack.t1585.002", "attack.impact", "attack.t1496.004"]
-- remedy          = "Ask who sends mail from this account; delete identities nobody knows and pause sending (UpdateAccountSendingEnabled) until it is clear."
-- false_positives = "Teams that send mail."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'emailIdentity', requestParameters ->> 'emailAddress', requestParameters ->> 'domain') AS identity,
       requestParameters ->> 'websiteURL' AS website,
       errorCode,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'emailIdentity', requestParameters ->> 'emailAddress', requestParameters ->> 'domain', requestParameters ->> 'alias', account) AS resource,
       CASE WHEN eventName IN ('PutAccountDetails', 'UpdateAccountSendingEnabled', 'PutAccountSendingAttributes', 'CreateOrganization') AND errorCode IS NULL THEN 'medium'
            WHEN ((userIdentity.accessKeyId LIKE 'AKIA%' OR userIdentity.type = 'FederatedUser') OR is_by_hand() AND NOT is_person()) AND errorCode IS NULL
                 AND NOT is_infrastructure_tool() THEN 'medium'
            ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NOT NULL THEN 'Somebody tried to prepare the account to send e-mail'
            WHEN eventName = 'PutAccountDetails' THEN 'Account asked to leave the e-mail sandbox'
            WHEN eventName IN ('UpdateAccountSendingEnabled', 'PutAccountSendingAttributes') THEN 'Sending of e-mail was enabled for the account'
            WHEN eventName = 'CreateOrganization' THEN 'Organization of WorkMail was made'
            WHEN eventName = 'PutEmailIdentityDkimSigningAttributes' THEN 'Mail of a domain is signed by a key from outside AWS'
            WHEN eventName = 'PutAccountSuppressionAttributes' THEN 'Mail is sent again to addresses that bounced or complained'
            ELSE 'E-mail identity was added' END AS title
FROM cloudtrail
WHERE eventSource IN ('ses.amazonaws.com', 'workmail.amazonaws.com')
  AND eventName IN ('PutAccountDetails', 'UpdateAccountSendingEnabled', 'PutAccountSendingAttributes', 'VerifyEmailIdentity', 'VerifyDomainIdentity', 'CreateEmailIdentity', 'CreateOrganization', 'PutEmailIdentityDkimSigningAttributes', 'PutAccountSuppressionAttributes')
  -- who has the key signs mail of the domain wherever it is sent from
  AND (eventName <> 'PutEmailIdentityDkimSigningAttributes'
       OR requestParameters ->> 'signingAttributesOrigin' = 'EXTERNAL')
  AND (eventName <> 'PutAccountSuppressionAttributes'
       OR json_length(requestParameters, 'suppressedReasons') = 0)
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND coalesce(requestParameters ->> 'enabled', requestParameters ->> 'sendingEnabled', 'true') = 'true'
