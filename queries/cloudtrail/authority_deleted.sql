-- title           = "Private certificate authority, HSM or signing profile was deleted or disabled"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.defense_evasion", "attack.t1485", "attack.t1489", "attack.t1553", "attack.t1562.001"]
-- remedy          = "Ask the owner of the principal. A deleted authority can be restored for 7 to 30 days (RestoreCertificateAuthority), a cluster of HSMs from its backup; put revocation back, and look at which certificates were used since."
-- false_positives = "An authority or a cluster that is taken out of use; Terraform and the like are left out."
SELECT eventTime,
       eventName,
       requestParameters AS what,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'certificateAuthorityArn', requestParameters ->> 'clusterId', requestParameters ->> 'hsmId', requestParameters ->> 'backupId', requestParameters ->> 'profileName', requestParameters ->> 'keyIdentifier') AS resource,
       CASE WHEN eventName = 'UpdateCertificateAuthority' THEN 'Private certificate authority was disabled, or no longer tells which certificates are revoked'
            WHEN eventSource = 'signer.amazonaws.com' THEN 'Profile that signs code was cancelled or revoked'
            WHEN eventName = 'DeleteKey' THEN 'Key of payment cards was set to be deleted'
            WHEN eventSource = 'cloudhsm.amazonaws.com' THEN 'Cluster of HSMs, or a backup of one, was deleted'
            ELSE 'Private certificate authority was deleted' END AS title
FROM cloudtrail
WHERE eventSource IN ('acm-pca.amazonaws.com', 'cloudhsm.amazonaws.com', 'signer.amazonaws.com', 'payment-cryptography.amazonaws.com')
  AND eventName IN ('DeleteCertificateAuthority', 'UpdateCertificateAuthority', 'DeleteCluster', 'DeleteHsm', 'DeleteBackup', 'DeleteKey', 'CancelSigningProfile', 'RevokeSigningProfile')
  AND (eventName <> 'UpdateCertificateAuthority'
       OR requestParameters ->> 'status' = 'DISABLED'
       OR json_get_bool(requestParameters, 'revocationConfiguration', 'crlConfiguration', 'enabled') = false
       OR json_get_bool(requestParameters, 'revocationConfiguration', 'ocspConfiguration', 'enabled') = false)
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
