-- title           = "Credentials of an instance did what administrators do"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.defense_evasion", "attack.exfiltration", "attack.impact", "attack.t1078.004", "attack.t1098", "attack.t1562.001", "attack.t1562.008", "attack.t1485", "attack.t1537", "attack.t1021.007"]
-- remedy          = "Find out which program on the instance does this. If none: isolate the instance, revoke the sessions of its role (deny by aws:TokenIssueTime), and look at how it was entered and what else the role did."
-- false_positives = "Instances that deployments run on by hand-written scripts: low from the third day of a week on; put their roles in the suppress list. Terraform and the like are left out."
-- description     = "Programs on an instance report, fetch, and at times move an address, a disk or a machine. They change no identities, take down no guards, buy nothing, enter no other machines."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS what,
       sourceIPAddress,
       userAgent,
       userIdentity.sessionContext.sessionIssuer.arn AS resource,
       CASE WHEN regexp_like(eventSource, '^(iam|sso|sso-directory|identitystore|organizations|account|rolesanywhere|ram|cognito-idp|ds)[.]') THEN 'Credentials of an instance changed identities, rights or the account'
            WHEN regexp_like(eventSource, '^(guardduty|securityhub|access-analyzer|macie2|inspector2|detective|fms|securitylake|auditmanager|shield|cloudtrail|config|network-firewall|wafv2|budgets|ce|logs|route53resolver)[.]') THEN 'Credentials of an instance changed what watches or guards the account'
            WHEN regexp_like(eventName, '^(StartSession|ResumeSession|SendSSHPublicKey|SendSerialConsoleSSHPublicKey|OpenTunnel|ExecuteCommand)$') THEN 'Credentials of an instance were used to enter another machine'
            WHEN regexp_like(eventName, '^Delete') THEN 'Credentials of an instance deleted a store of data'
            ELSE 'Credentials of an instance did what administrators do' END AS title,
       CASE WHEN days >= 3 THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days
      FROM cloudtrail
      WHERE NOT readOnly
        AND userIdentity.invokedBy IS NULL
        AND (userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL
             OR regexp_like(userIdentity.arn, '/i-[0-9a-f]{8,17}$'))
        AND (regexp_like(eventSource, '^(iam|sso|sso-directory|identitystore|organizations|account|rolesanywhere|ram|guardduty|securityhub|access-analyzer|macie2|inspector2|detective|fms|securitylake|auditmanager|shield|cloudtrail|network-firewall|budgets|ce|cur|savingsplans|route53domains|acm-pca|datasync|transfer|snowball|dms|appflow|chatbot|codestar-connections|codeconnections)[.]amazonaws[.]com$')
             OR regexp_like(eventName, '^(DeleteConfigRule|DeleteConfigurationAggregator|DeleteConformancePack|PutConfigurationRecorder|StopConfigurationRecorder|DeleteConfigurationRecorder|DeleteDeliveryChannel|DeleteRetentionConfiguration|DeleteWebACL|DisassociateWebACL|DeleteLoggingConfiguration|DeleteMetricFilter|DeleteSubscriptionFilter|PutSubscriptionFilter|DeleteDestination|CreateExportTask|DeleteDataProtectionPolicy|DeleteFlowLogs|DisassociateFirewallRuleGroup|DeleteResolverQueryLogConfig|UpdateFirewallConfig|CreateResolverRule|DisassociateKmsKey|StopActivityStream|DisableLogging|PutBucketLogging|DeleteLogSubscription)$')
             OR regexp_like(eventName, '^(StartSession|ResumeSession|SendSSHPublicKey|SendSerialConsoleSSHPublicKey|OpenTunnel|ExecuteCommand|CreateInstanceConnectEndpoint|CreateClientVpnEndpoint|AuthorizeClientVpnIngress|CreateVpnConnection|CreateCustomerGateway|CreateVpcPeeringConnection|AcceptVpcPeeringConnection|CreateTransitGatewayVpcAttachment|CreateTrafficMirrorSession|EnableSerialConsoleAccess|ImportKeyPair|EnableAddressTransfer|CreateReplaceRootVolumeTask)$')
             OR regexp_like(eventName, '^(DeleteTable|DeleteCluster|DeleteFileSystem|DeleteDomain|DeleteElasticsearchDomain|DeleteReplicationGroup|DeleteUserPool|DeleteSecret|DeleteDBInstance|DeleteDBCluster|DeleteBackup|DeleteBackupVault|DeleteRecoveryPoint|DeleteHostedZone|DeleteDirectory|DeleteBucketPolicy|DeleteBucketEncryption|DisableKeyRotation|ScheduleKeyDeletion|DisableKey)$')
                AND eventSource <> 'glue.amazonaws.com'
             OR regexp_like(eventName, '^(CreateApiDestination|CreateStackInstances|ImportSourceCredentials|UpdateProjectVisibility|CreateProvisionedModelThroughput|CreatePresignedDomainUrl|CreatePresignedNotebookInstanceUrl|CreateNotebookInstanceLifecycleConfig|UpdateNotebookInstanceLifecycleConfig|UpdateConnection|ReplicateSecretToRegions|CreateDocument|UpdateDocument|ModifyDocumentPermission|CreateActivation|PutImageTagMutability|PutImageScanningConfiguration|ResetUserPassword|CreateTrust|ShareDirectory|RequestServiceQuotaIncrease|VerifyEmailIdentity|CreateEmailIdentity|PutAccountDetails|SetSMSAttributes|PurchaseReservedInstancesOffering|CreateCapacityReservation|TransferDomainToAnotherAwsAccount|ImportSshPublicKey|CreateServer|CreateFlow|PutDataLakeSettings|GrantPermissions|PutDataCatalogEncryptionSettings)$'))
        -- programs of many kinds do these
        AND NOT regexp_like(eventName, 'InstanceProfile|ServerCertificate|ServiceLinkedRole|^Tag|^Untag|^Generate|^BatchImportFindings$|^PutAuditEvents$|^IssueCertificate$')
        AND NOT regexp_like(coalesce(userAgent, ''), 'Terraform|OpenTofu|Pulumi|[Pp]acker|aws-cdk|aws-sam-cli|kops|cluster-api')
      WINDOW week AS (PARTITION BY account, userIdentity.sessionContext.sessionIssuer.arn, eventSource, errorCode IS NULL
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL
