-- title    = "Backup vault, its lock or a recovery point was deleted"
-- severity = "medium"
-- tags     = ["attack.impact", "attack.t1490"]
-- remedy   = "Stop further deletion (deny backup:Delete* for the principal), verify the remaining recovery points, and copy them to a locked vault in another account."
SELECT eventTime,
       eventName,
       requestParameters ->> 'recoveryPointArn' AS recovery_point,
       errorCode,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'recoveryPointArn', requestParameters ->> 'backupVaultName', requestParameters ->> 'backupPlanId', requestParameters ->> 'legalHoldId') AS resource,
       CASE WHEN errorCode IS NULL AND NOT (eventName IN ('DeleteBackupPlan', 'DeleteBackupSelection') AND regexp_like(coalesce(userAgent, ''), 'Terraform|OpenTofu|Pulumi|aws-cdk|aws-sam-cli|^cloudformation')) THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL AND eventName IN ('DeleteBackupPlan', 'DeleteBackupSelection') THEN 'Backup plan, or the choice of what it backs up, was deleted'
            WHEN errorCode IS NULL AND eventName = 'CancelLegalHold' THEN 'Legal hold on backups was cancelled'
            WHEN errorCode IS NULL AND eventName = 'DisassociateBackupVaultMpaApprovalTeam' THEN 'Backup vault was taken out of the hands of those who approve'
            WHEN errorCode IS NULL THEN 'Backup vault, its lock or a recovery point was deleted'
            ELSE 'Somebody tried to delete a backup vault, its lock or a recovery point' END AS title
FROM cloudtrail
WHERE eventSource = 'backup.amazonaws.com'
  AND eventName IN ('DeleteBackupVault', 'DeleteRecoveryPoint', 'DeleteBackupVaultLockConfiguration', 'DeleteBackupPlan', 'DeleteBackupSelection', 'CancelLegalHold', 'DisassociateBackupVaultMpaApprovalTeam')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
