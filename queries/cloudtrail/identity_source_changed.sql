-- title    = "Identity source of IAM Identity Center was changed"
-- severity = "high"
-- tags     = ["attack.persistence", "attack.defense_evasion", "attack.t1556.007", "attack.t1484.002"]
-- remedy   = "Confirm with the owner of single sign-on at once: whoever controls the identity source can sign in as anyone in every account. Change it back if unknown."
SELECT eventTime, eventSource, eventName,
       requestParameters ->> 'directoryId' AS directory,
       sourceIPAddress, userAgent,
       coalesce(requestParameters ->> 'directoryId', requestParameters ->> 'identityStoreId', requestParameters ->> 'instanceArn', requestParameters ->> 'tenantId', account) AS resource,
       CASE WHEN eventName LIKE '%TrustedTokenIssuer' OR eventName = 'CreateBearerToken' THEN 'medium' ELSE 'high' END AS severity,
       CASE WHEN eventName LIKE '%TrustedTokenIssuer' THEN 'IAM Identity Center was made to trust tokens of an issuer'
            WHEN eventName = 'CreateBearerToken' THEN 'Token was made by which users are put into IAM Identity Center from outside'
            WHEN eventName = 'DeleteInstance' THEN 'Instance of IAM Identity Center was deleted'
            ELSE 'Identity source of IAM Identity Center was changed' END AS title
FROM cloudtrail
WHERE eventSource IN ('sso.amazonaws.com', 'sso-directory.amazonaws.com')
  AND eventName IN ('AssociateDirectory', 'DisassociateDirectory', 'CreateExternalIdPConfigurationForDirectory',
                    'UpdateExternalIdPConfigurationForDirectory', 'EnableExternalIdPConfigurationForDirectory',
                    'DisableExternalIdPConfigurationForDirectory', 'ImportExternalIdPCertificateForDirectory', 'ImportExternalIdPCertificate', 'CreateTrustedTokenIssuer', 'UpdateTrustedTokenIssuer', 'CreateBearerToken', 'DeleteInstance')
  AND errorCode IS NULL
