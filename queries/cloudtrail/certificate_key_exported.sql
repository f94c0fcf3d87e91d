-- title           = "Certificate was exported with its private key, or issued by a private authority to a person"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.t1552.004", "attack.t1649"]
-- remedy          = "Ask what for; revoke the certificate if nobody can say, and look at who signs in with it."
-- false_positives = "Servers outside of AWS that get their certificate by hand."
SELECT eventTime,
       eventName,
       eventSource,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'certificateArn', requestParameters ->> 'certificateAuthorityArn', requestParameters ->> 'exportKeyIdentifier') AS resource,
       CASE WHEN eventName = 'ExportKey' THEN 'Key of payment cards was exported'
            ELSE 'Certificate was exported with its private key, or issued by a private authority to a person' END AS title
FROM cloudtrail
WHERE eventSource IN ('acm.amazonaws.com', 'acm-pca.amazonaws.com', 'payment-cryptography.amazonaws.com')
  AND eventName IN ('ExportCertificate', 'IssueCertificate', 'ExportKey')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
