-- title           = "EBS snapshot was shared with another account"
-- severity        = "high"
-- tags            = ["attack.exfiltration", "attack.t1537"]
-- remedy          = "Take the permission back with ModifySnapshotAttribute (remove), find out whose account it is, and assume that what the volume held, keys included, is known there."
-- false_positives = "Backup or image pipelines that hand copies to an account of your own (medium by the role of a program); AWS Backup and Data Lifecycle Manager, which hand copies on as they are told, and who gives some to the same account on a third day of a week (low)."
SELECT eventTime,
       errorCode,
       coalesce(requestParameters -> 'createVolumePermission' ->> 'add', requestParameters) AS shared_with,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN errorCode IS NOT NULL THEN 'medium'
            WHEN regexp_like(coalesce(requestParameters -> 'createVolumePermission' ->> 'add', requestParameters), '"all"') THEN 'critical'
            -- the plan or policy that a person wrote says with whom; the service only does it
            WHEN userIdentity.invokedBy IN ('backup.amazonaws.com', 'dlm.amazonaws.com') THEN 'low'
            -- who gives copies to this account on a third day of a week does so each day: backups, images, a move
            WHEN days >= 3 THEN 'low'
            -- the role of a program shares what it was made to share: images that a pipeline built, copies for another Region or a scanner
            WHEN NOT is_person() AND (userIdentity.sessionContext.ec2RoleDelivery IS NULL OR regexp_like(userAgent, '[Pp]acker')) THEN 'medium'
            ELSE 'high' END AS severity,
       CASE WHEN errorCode IS NOT NULL THEN 'Somebody tried to share an EBS snapshot outside the account'
            WHEN regexp_like(coalesce(requestParameters -> 'createVolumePermission' ->> 'add', requestParameters), '"all"') THEN 'EBS snapshot was made public'
            ELSE 'EBS snapshot was shared with another account' END AS title
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || (requestParameters ->> 'snapshotId')) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource = 'ec2.amazonaws.com'
        AND eventName = 'ModifySnapshotAttribute'
        AND (regexp_like(without_own(requestParameters -> 'createVolumePermission' ->> 'add', account), '"all"|[0-9]{12}')
             OR requestParameters ->> 'operationType' = 'add'
                AND regexp_like(without_own(requestParameters, account), '"(all|[0-9]{12})"'))
      WINDOW week AS (PARTITION BY account, CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN userIdentity.arn ELSE coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) END, is_person(), is_by_hand_or_script(), userIdentity.invokedBy, errorCode IS NULL, coalesce(requestParameters -> 'createVolumePermission' ->> 'add', requestParameters)
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%'
