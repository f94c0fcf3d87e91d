-- title           = "Backup vault, archive vault, file system or table was opened to another account"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventSource"]
-- tags            = ["attack.exfiltration", "attack.t1537"]
-- remedy          = "Put the earlier policy back; look for copies, restores, mounts or reads by other accounts since."
-- false_positives = "Sharing on purpose with an account of your own or of a partner."
SELECT eventTime,
       eventName,
       coalesce(requestParameters -> 'policy' ->> 'policy', requestParameters ->> 'policy', requestParameters ->> 'resourcePolicy') AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, requestParameters ->> 'resourceArn', requestParameters ->> 'vaultName', requestParameters ->> 'backupVaultName', requestParameters ->> 'fileSystemId', requestParameters ->> 'tableName') AS resource,
       CASE WHEN eventSource = 'backup.amazonaws.com' THEN 'Backup vault was opened to another account'
            WHEN eventSource = 'glacier.amazonaws.com' THEN 'Archive vault was opened to another account'
            WHEN eventSource = 'elasticfilesystem.amazonaws.com' THEN 'File system was opened to another account'
            ELSE 'Table was opened to another account' END AS title
FROM cloudtrail
WHERE eventSource IN ('backup.amazonaws.com', 'glacier.amazonaws.com', 'elasticfilesystem.amazonaws.com', 'dynamodb.amazonaws.com')
  AND eventName IN ('PutBackupVaultAccessPolicy', 'SetVaultAccessPolicy', 'PutFileSystemPolicy', 'PutResourcePolicy', 'CreateTable')
  AND errorCode IS NULL
  AND array_any_match(
        coalesce(json_get_array(without_own(coalesce(requestParameters -> 'policy' ->> 'policy', requestParameters ->> 'policy', requestParameters ->> 'resourcePolicy'), account), 'Statement'),
                 make_array(json_get_json(without_own(coalesce(requestParameters -> 'policy' ->> 'policy', requestParameters ->> 'policy', requestParameters ->> 'resourcePolicy'), account), 'Statement'))),
        s -> s ->> 'Effect' = 'Allow'
             AND (regexp_like(s ->> 'Principal', '(::|")[0-9]{12}[:"]|"A(RO|ID)A[0-9A-Z]{12,}"')
                  -- everybody, as long as it is that account
                  OR regexp_like(s ->> 'Principal', '[*]')
                     AND regexp_like(s ->> 'Condition', '(?i)"(aws:Principal(Account|Arn)|kms:CallerAccount)"[^]}]*[0-9]{12}')))
