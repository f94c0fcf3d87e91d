-- title           = "Guard, log or alarm of the account was weakened by hand"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "userIdentity.arn", "eventSource"]
-- tags            = ["attack.defense_evasion", "attack.impact", "attack.t1562.001", "attack.t1562.007", "attack.t1562.008", "attack.t1531"]
-- remedy          = "Ask the person. If nobody can say: put it back, revoke the sessions or disable the key, and look at what was done since."
-- false_positives = "Administrators who clean up by hand; leave that to deployments."
-- description     = "Calls that each take away a little of what watches or protects the account, and that hardly anybody makes by hand on an ordinary day."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS what,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'alarmName', requestParameters ->> 'keyId', requestParameters ->> 'logGroupName', requestParameters ->> 'logGroupIdentifier', requestParameters ->> 'recoveryPointArn',
                requestParameters ->> 'backupVaultName', requestParameters ->> 'vaultName', requestParameters ->> 'backupJobId', requestParameters ->> 'channel', requestParameters ->> 'secretId', requestParameters ->> 'stackName',
                requestParameters ->> 'customKeyStoreId', requestParameters ->> 'deliveryStreamName', requestParameters ->> 'streamName', requestParameters ->> 'streamARN', requestParameters ->> 'bucketName', requestParameters ->> 'functionName',
                requestParameters ->> 'codeSigningConfigArn', requestParameters ->> 'accountId', requestParameters ->> 'sAMLProviderArn', requestParameters ->> 'openIDConnectProviderArn', requestParameters ->> 'fileSystemId', requestParameters ->> 'detectorId',
                requestParameters ->> 'directoryId', requestParameters ->> 'networkAclId', requestParameters ->> 'firewallName', requestParameters ->> 'firewallPolicyName', requestParameters ->> 'policyStoreId', requestParameters ->> 'configRuleName',
                requestParameters ->> 'archiveName', requestParameters ->> 'threatIntelSetId', requestParameters ->> 'analyzerName', requestParameters ->> 'anomalyDetectorArn', requestParameters ->> 'resourceArn', requestParameters ->> 'ruleIdentifier', requestParameters ->> 'securityProfileName',
                requestParameters ->> 'landingZoneIdentifier', requestParameters ->> 'connectionId', requestParameters ->> 'instanceId', requestParameters ->> 'id',
                requestParameters -> 'UnlockSnapshotRequest' ->> 'SnapshotId', requestParameters ->> 'name', requestParameters ->> 'names', 'role/' || (requestParameters ->> 'roleName'), account) AS resource,
       -- spending_alarm_removed and account_guard_removed tell it
       CASE WHEN eventSource IN ('budgets.amazonaws.com', 'ce.amazonaws.com')
                 OR eventName IN ('DeleteFunctionCodeSigningConfig', 'DeleteCodeSigningConfig20200630')
                 -- examples to try the alarms with: they hide something only in a crowd
                 OR eventName = 'CreateSampleFindings'
                 -- it may have been one that let something through
                 OR eventName LIKE 'DeleteNetworkAcl%' THEN 'low' ELSE 'medium' END AS severity,
       'Guard, log or alarm of the account was weakened by hand: ' || eventName AS title
FROM cloudtrail
WHERE regexp_like(eventName, '^(SetAlarmState|StopMetricStreams|DeleteMetricStream|DeleteInsightRules|DeleteDataProtectionPolicy|DeleteLogAnomalyDetector|DisassociateKmsKey|UpdateFirewallConfig|DeleteFirewallRuleGroup|DeleteFirewallDomainList|UpdateFirewallPolicy|UpdateMalwareScanSettings|CreateSampleFindings|DeleteActionTarget|DeleteInsight|DeleteRetentionConfiguration|DeleteAggregationAuthorization|DeleteEvaluationResults|DeleteAwsLogSource|DeleteSubscriber|DeregisterAccount|DeleteResourceDataSync|DeleteChannel|DisableFederation|DeleteBackupVaultAccessPolicy|StopBackupJob|UpdateRecoveryPointLifecycle|DisassociateRecoveryPoint|UnlockSnapshot|DisableKeyRotation|StopStreamEncryption|DeleteBucketEncryption|DeleteDeliveryStream|DeleteReportDefinition|DisableMfaDeviceForUser|DeleteSAMLProvider|DeleteOpenIDConnectProvider|DeregisterDelegatedAdministrator|DeleteFunctionCodeSigningConfig(2020[0-9]{4})?|UpdateCodeSigningConfig(2020[0-9]{4})?|ReplaceImageCriteriaInAllowedImagesSettings|DisableRadius|UpdateTerminationProtection|CancelRotateSecret|DisconnectCustomKeyStore|DeleteCustomKeyStore|AbortVaultLock|DeleteFileSystemPolicy|DeleteAuthorizer|DeleteCanary|DeletePolicyStore|DeleteReplicationSet|DisableLDAPS|DisableClientAuthentication|SetV2LoggingOptions|DeleteAccountAuditConfiguration|StopTelemetryEvaluation|ModifyVpcEncryptionControl|DeleteVpcEncryptionControl|DisableImageDeregistrationProtection|DeleteSigningConfiguration|PutAlarmMuteRule|PutDataProtectionPolicy|SetLogDeliveryConfiguration|PutTransformer|SetStackPolicy|UpdateIpRestriction|AssociateFirewallPolicy|DeleteNetworkAcl|DeleteNetworkAclEntry|DeleteRole|DeleteRolePolicy|DetachRolePolicy|DeleteCustomLogSource|UpdateEc2DeepInspectionConfiguration|UpdateDataLake|DeleteArchive|UpdateArchive|DeactivateEventSource|DisableInsightRules|UpdateAnomaly|CreateAllowList|UpdateAllowList|DeleteCustomDataIdentifier|PutFindingsPublicationConfiguration|UpdateResourceProfileDetections|UpdateThreatIntelSet|PutEvaluations|PutExternalEvaluation|UpdateAnalyzer|StopTelemetryEvaluationForOrganization|DeleteTelemetryRule|DeleteTelemetryRuleForOrganization|DeleteCentralizationRuleForOrganization|DeleteNotificationChannel|UpdateFileSystemProtection|PutBackupVaultLockConfiguration|UpdateAccountAuditConfiguration|SetLoggingOptions|DeleteSecurityProfile|DisassociateInstanceStorageConfig|UpdateLandingZone|UpdateConnection|DisassociateMacSecKey)$')
  -- channels of video and rights of a contact centre are called so too
  AND (eventName NOT IN ('DeleteChannel', 'DeleteSecurityProfile')
       OR eventSource IN ('cloudtrail.amazonaws.com', 'iot.amazonaws.com'))
  AND (eventName <> 'UpdateTerminationProtection'
       OR requestParameters ->> 'enableTerminationProtection' = 'false')
  AND (NOT eventName LIKE 'UpdateCodeSigningConfig%'
       OR requestParameters -> 'codeSigningPolicies' ->> 'untrustedArtifactOnDeployment' = 'Warn')
  AND (eventName <> 'SetV2LoggingOptions'
       OR requestParameters ->> 'disableAllLogs' = 'true'
       OR requestParameters ->> 'defaultLogLevel' = 'DISABLED')
  AND (eventName <> 'ModifyVpcEncryptionControl'
       OR requestParameters -> 'ModifyVpcEncryptionControlRequest' ->> 'Mode' = 'monitor')
  AND (eventName <> 'PutDataProtectionPolicy'
       OR requestParameters ->> 'dataProtectionPolicy' = '')
  AND (eventName <> 'SetStackPolicy'
       OR regexp_like(requestParameters ->> 'stackPolicyBody', '"Action"\s*:\s*(\[\s*)?"(Update:)?[*]"')
          AND NOT regexp_like(requestParameters ->> 'stackPolicyBody', '"Deny"'))
  AND (eventName <> 'UpdateIpRestriction'
       OR requestParameters ->> 'enabled' = 'false')
  AND (eventName <> 'SetLogDeliveryConfiguration'
       OR json_length(requestParameters, 'logConfigurations') = 0)
  -- the roles in which auditors and scanners look at the account
  AND (NOT eventName LIKE '%Role%'
       OR regexp_like(requestParameters ->> 'roleName', '(?i)security-?audit|incident-?resp|forensic|cspm|guard-?duty|cloudtrail|siem|prisma|crowd-?strike|sentinel|lacework|fortics|orca-?security|security-?scan|^wiz|datadog'))
  AND (eventName <> 'UpdateEc2DeepInspectionConfiguration'
       OR requestParameters ->> 'activateDeepInspection' = 'false')
  AND (eventName <> 'UpdateDataLake'
       OR regexp_like(requestParameters, '"expiration"\s*:\s*[{]\s*"days"\s*:\s*"?[0-9]{1,2}"?\s*[,}]'))
  -- events that are kept to be replayed; of mail and of vaults there are archives too
  AND (eventName NOT IN ('DeleteArchive', 'UpdateArchive')
       OR eventSource = 'events.amazonaws.com'
          AND (eventName = 'DeleteArchive'
               OR json_get_int(requestParameters, 'retentionDays') BETWEEN 1 AND 7))
  AND (eventName <> 'UpdateAnomaly'
       OR requestParameters ->> 'suppressionType' = 'INFINITE')
  AND (eventName <> 'PutFindingsPublicationConfiguration'
       OR regexp_like(requestParameters, '"publish(Classification|Policy)Findings"\s*:\s*false'))
  AND (eventName <> 'UpdateResourceProfileDetections'
       OR json_length(requestParameters, 'suppressDataIdentifiers') >= 1)
  AND (eventName <> 'UpdateThreatIntelSet'
       OR requestParameters ->> 'activate' = 'false')
  -- a person says that all is well, in place of the function that would look
  AND (eventName NOT IN ('PutEvaluations', 'PutExternalEvaluation')
       OR regexp_like(requestParameters, '"complianceType"\s*:\s*"(COMPLIANT|NOT_APPLICABLE)"'))
  AND (eventName <> 'UpdateAnalyzer'
       OR json_length(requestParameters, 'configuration', 'unusedAccess', 'analysisRule', 'exclusions') >= 1)
  AND (eventName <> 'UpdateFileSystemProtection'
       OR requestParameters ->> 'replicationOverwriteProtection' = 'DISABLED')
  AND (eventName <> 'PutBackupVaultLockConfiguration'
       OR json_get_int(requestParameters, 'maxRetentionDays') <= 7)
  AND (eventName <> 'UpdateAccountAuditConfiguration'
       OR regexp_like(requestParameters ->> 'auditCheckConfigurations', '"enabled"\s*:\s*false'))
  AND (eventName <> 'SetLoggingOptions'
       OR requestParameters -> 'loggingOptionsPayload' ->> 'logLevel' = 'DISABLED')
  AND (eventName <> 'UpdateLandingZone'
       OR requestParameters -> 'manifest' -> 'centralizedLogging' ->> 'enabled' = 'false')
  AND (eventName <> 'UpdateConnection'
       OR eventSource = 'directconnect.amazonaws.com'
          AND requestParameters ->> 'encryptionMode' IN ('no_encrypt', 'should_encrypt'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  -- what no program does every day
  AND (eventName IN ('DeleteDataProtectionPolicy', 'UnlockSnapshot', 'AbortVaultLock', 'DisconnectCustomKeyStore', 'DeleteCustomKeyStore', 'DeleteAwsLogSource', 'DeregisterAccount', 'DisableMfaDeviceForUser', 'DisableRadius', 'DeregisterDelegatedAdministrator', 'StopStreamEncryption', 'UpdateFirewallConfig', 'DeleteReplicationSet', 'StopMetricStreams', 'DisableKeyRotation', 'DeleteBackupVaultAccessPolicy', 'DisableLDAPS', 'DisableClientAuthentication', 'DeleteAccountAuditConfiguration', 'SetV2LoggingOptions')
       OR is_by_hand_or_script()
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
  AND NOT is_infrastructure_tool()
