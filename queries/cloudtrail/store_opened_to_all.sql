-- title    = "Backup vault, archive vault, file system or table was opened to everybody"
-- severity = "high"
-- key      = ["account", "userIdentity.arn", "eventSource"]
-- tags     = ["attack.exfiltration", "attack.t1537"]
-- remedy   = "Put the earlier policy back; look for copies, restores, mounts or reads by other accounts since."
SELECT eventTime,
       eventName,
       coalesce(requestParameters -> 'policy' ->> 'policy', requestParameters ->> 'policy', requestParameters ->> 'resourcePolicy') AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, requestParameters ->> 'resourceArn', requestParameters ->> 'vaultName', requestParameters ->> 'backupVaultName', requestParameters ->> 'fileSystemId', requestParameters ->> 'tableName') AS resource,
       CASE WHEN eventSource = 'backup.amazonaws.com' THEN 'Backup vault was opened to everybody'
            WHEN eventSource = 'glacier.amazonaws.com' THEN 'Archive vault was opened to everybody'
            WHEN eventSource = 'elasticfilesystem.amazonaws.com' THEN 'File system was opened to everybody'
            ELSE 'Table was opened to everybody' END AS title
FROM cloudtrail
WHERE eventSource IN ('backup.amazonaws.com', 'glacier.amazonaws.com', 'elasticfilesystem.amazonaws.com', 'dynamodb.amazonaws.com')
  AND eventName IN ('PutBackupVaultAccessPolicy', 'SetVaultAccessPolicy', 'PutFileSystemPolicy', 'PutResourcePolicy', 'CreateTable')
  AND errorCode IS NULL
  AND array_any_match(
        coalesce(json_get_array(coalesce(requestParameters -> 'policy' ->> 'policy', requestParameters ->> 'policy', requestParameters ->> 'resourcePolicy'), 'Statement'),
                 make_array(json_get_json(coalesce(requestParameters -> 'policy' ->> 'policy', requestParameters ->> 'policy', requestParameters ->> 'resourcePolicy'), 'Statement'))),
        s -> s ->> 'Effect' = 'Allow'
             AND (regexp_like(s ->> 'Principal', '^[*]$|"(AWS|[*])"\s*:\s*(\[[^\]]*)?"[*]"') OR json_contains(s, 'NotPrincipal'))
             -- less conditions that hold for everybody: any value, half the internet, what holds as well where nothing is said
             AND (NOT regexp_like(regexp_replace(coalesce(s ->> 'Condition', ''), '(?i)"(ForAllValues:[a-z]+|[a-z:]*IfExists|Null)"\s*:\s*[{][^{}]*[}]|"aws:PrincipalIsAWSService"\s*:\s*"?false|"aws:PrincipalType"|"aws:(source|principal|userid)[a-z]*"\s*:\s*(\[[^\]]*)?"([*?]+|o-[*]|arn:[^":]*:(iam|sts)::[*]:[^"]*|[0-9.]+/[0-7]|[0-9a-f]*::/[0-3])"', '', 'g'), '(?i)aws:(Source|Principal)|kms:CallerAccount|elasticfilesystem:AccessedViaMountTarget"\s*:\s*\[?"?true')
                  OR regexp_like(s ->> 'Condition', '(?i)"[a-z:]*Not(Equals|Like|IpAddress)|"(0\.0\.0\.0|::)/0"')))
