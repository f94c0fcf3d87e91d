-- title           = "Role of a program did what it often does, but from a new network or under another session name"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.defense_evasion", "attack.persistence", "attack.t1078.004", "attack.t1550.001", "attack.t1036"]
-- remedy          = "Ask the owner whether the program was moved. If not: find the AssumeRole call of this session and who made it, revoke the role's sessions, and undo what the session did."
-- false_positives = "A program that was moved, or whose egress changed: told on the first day."
-- description     = "Deeds that give access, enter machines, run code, share or destroy, by a role that did such on three days of a week. What else is told of these weighs less as soon as it is a habit, and who copies the user agent of the program and assumes its role has its habits. Compared are the network, as the first two numbers of the address, and the session's name without its numbers, with those of the ten latest days and networks, or names. Where these are many, as of runners and functions that come from everywhere, a new one says nothing; of a role that a token of a service of pipelines gives, less than five say nothing yet."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS what,
       split_part(userIdentity.principalId, ':', 2) AS session_name,
       sourceIPAddress,
       userAgent,
       -- one for each day, the latest first
       array_transform(networks, v -> substr(v, 7)) AS networks_by_day,
       array_transform(names, v -> substr(v, 7)) AS names_by_day,
       userIdentity.sessionContext.sessionIssuer.arn AS resource
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             -- the latest day first, by days until the year 2100
             sample(CAST(47482 - CAST(floor(to_unixtime(eventTime) / 86400) AS BIGINT) AS varchar) || ' ' || regexp_replace(sourceIPAddress, '^([0-9]+[.][0-9]+|[0-9a-f]+:[0-9a-f]+)[.:].*$', '\1')) OVER week AS networks,
             sample(CAST(47482 - CAST(floor(to_unixtime(eventTime) / 86400) AS BIGINT) AS varchar) || ' ' || regexp_replace(split_part(userIdentity.principalId, ':', 2), '[0-9a-f]{8,}|[0-9]+', '#', 'g')) OVER week AS names
      FROM cloudtrail
      WHERE regexp_like(eventName, '^(CreateAccessKey|CreateUser|CreateLoginProfile|UpdateLoginProfile|DeactivateMFADevice|AddUserToGroup|Attach(User|Role|Group)Policy|Put(User|Role|Group)Policy|CreatePolicyVersion|CreateRole|UpdateAssumeRolePolicy|SendCommand|StartSession|ExecuteCommand|UpdateFunctionCode(20150331v2)?|CreateFunction(20150331)?|(Create|Update)FunctionUrlConfig|AddPermission(20150331v2)?|PutImage|CreateStack|UpdateStack|CreateStackInstances|ModifySnapshotAttribute|ModifyImageAttribute|ModifyDB(Cluster)?SnapshotAttribute|PutBucketPolicy|DeleteBucketPolicy|DeleteBucket|PutKeyPolicy|ScheduleKeyDeletion|DisableKey|DeleteDB(Instance|Cluster)|ModifyDB(Instance|Cluster)|DeleteTable|DropTable|DropKeyspace|DeleteUserPool|DeleteFileSystem|DeleteCluster|DeleteReplicationGroup|DeleteDomain|DeleteElasticsearchDomain|DeleteCollection|DeleteTableBucket|DeleteRepository|StartExportTask|ExportTableToPointInTime|ExportServerlessCacheSnapshot|ExportJournalToS3|StartFHIRExportJob|AuthorizeSnapshotAccess|DeleteSecret|DeleteSnapshot|DeleteRecoveryPoint|DeleteWebACL|DisassociateWebACL|DeleteRule|DeleteAlarms|DisableAlarmActions|DisableRule|PurgeQueue|TerminateInstances|AuthorizeSecurityGroupIngress)$')
        AND userIdentity.type = 'AssumedRole'
        AND errorCode IS NULL
        AND userIdentity.invokedBy IS NULL
        AND NOT is_person()
      WINDOW week AS (PARTITION BY account, userIdentity.sessionContext.sessionIssuer.arn
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE days >= 3
  -- runners of a service of pipelines come from everywhere, two of them by chance from one network, and each workflow names its sessions:
  -- of them five say what three say of others
  AND (coalesce(userIdentity.sessionContext.webIdFederationData.federatedProvider, '') NOT LIKE '%:oidc-provider/%'
       OR userIdentity.sessionContext.webIdFederationData.federatedProvider LIKE '%:oidc-provider/oidc.eks.%'
       OR least(array_length(networks), array_length(names)) >= 5)
  AND (array_length(array_positions(array_transform(networks, v -> substr(v, 7)), regexp_replace(sourceIPAddress, '^([0-9]+[.][0-9]+|[0-9a-f]+:[0-9a-f]+)[.:].*$', '\1'))) = 1
       AND (array_length(array_distinct(array_transform(networks, v -> substr(v, 7)))) < 3
            OR 5 * array_length(array_distinct(array_transform(networks, v -> substr(v, 7)))) <= 2 * array_length(networks))
    OR array_length(array_positions(array_transform(names, v -> substr(v, 7)), regexp_replace(split_part(userIdentity.principalId, ':', 2), '[0-9a-f]{8,}|[0-9]+', '#', 'g'))) = 1
       AND (array_length(array_distinct(array_transform(names, v -> substr(v, 7)))) < 3
            OR 5 * array_length(array_distinct(array_transform(names, v -> substr(v, 7)))) <= 2 * array_length(names)))
