-- title           = "Database snapshot was shared with another account"
-- severity        = "high"
-- tags            = ["attack.exfiltration", "attack.t1537"]
-- remedy          = "Take the permission back with valuesToRemove, find out whose account it is, and rotate the passwords and keys that the database held."
-- false_positives = "Refreshes of a test account of your own, and who gives some to the same account on a third day of a week (low); AWS Backup and Data Lifecycle Manager, which hand copies on as they are told (low)."
SELECT eventTime,
       errorCode,
       requestParameters ->> 'valuesToAdd' AS shared_with,
       requestParameters ->> 'accountWithRestoreAccess' AS restore_account,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN errorCode IS NOT NULL THEN 'medium'
            WHEN array_any_match(json_texts(requestParameters, 'valuesToAdd'), v -> v = 'all') THEN 'critical'
            -- the plan or policy that a person wrote says with whom; the service only does it
            WHEN userIdentity.invokedBy IN ('backup.amazonaws.com', 'dlm.amazonaws.com') THEN 'low'
            -- who gives copies to this account on a third day of a week does so each day: backups, images, a move
            WHEN days >= 3 THEN 'low'
            -- the role of a program shares what it was made to share
            WHEN NOT is_person() AND userIdentity.sessionContext.ec2RoleDelivery IS NULL THEN 'medium'
            ELSE 'high' END AS severity,
       CASE WHEN errorCode IS NOT NULL THEN 'Somebody tried to share a database snapshot outside the account'
            WHEN array_any_match(json_texts(requestParameters, 'valuesToAdd'), v -> v = 'all') THEN 'Database snapshot was made public'
            ELSE 'Database snapshot was shared with another account' END AS title
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || coalesce(requestParameters ->> 'dBSnapshotIdentifier', requestParameters ->> 'dBClusterSnapshotIdentifier', requestParameters ->> 'snapshotIdentifier')) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource IN ('rds.amazonaws.com', 'redshift.amazonaws.com')
        AND eventName IN ('ModifyDBSnapshotAttribute', 'ModifyDBClusterSnapshotAttribute', 'AuthorizeSnapshotAccess')
        AND (array_any_match(json_texts(requestParameters, 'valuesToAdd'), v -> v = 'all')
             OR regexp_like(without_own(requestParameters ->> 'valuesToAdd', account), '[0-9]{12}')
             OR without_own(requestParameters ->> 'accountWithRestoreAccess', account) <> '')
      WINDOW week AS (PARTITION BY account, CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN userIdentity.arn ELSE coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) END, is_person(), is_by_hand_or_script(), userIdentity.invokedBy, errorCode IS NULL, coalesce(requestParameters ->> 'valuesToAdd', requestParameters ->> 'accountWithRestoreAccess')
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%'
