-- title           = "AMI was shared with another account"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.t1537"]
-- remedy          = "Take the permission back with ModifyImageAttribute (remove), find out whose account it is, and assume that what the image held, keys included, is known there."
-- false_positives = "Backup or image pipelines that hand copies to an account of your own; AWS Backup, Data Lifecycle Manager and Image Builder, which hand copies on as they are told, and who gives some to the same account on a third day of a week (low)."
SELECT eventTime,
       errorCode,
       coalesce(requestParameters -> 'launchPermission' ->> 'add', requestParameters) AS shared_with,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN errorCode IS NOT NULL THEN 'medium'
            WHEN regexp_like(coalesce(requestParameters -> 'launchPermission' ->> 'add', requestParameters), '"all"') THEN 'high'
            -- the plan or policy that a person wrote says with whom; the service only does it
            WHEN userIdentity.invokedBy IN ('backup.amazonaws.com', 'dlm.amazonaws.com', 'imagebuilder.amazonaws.com') THEN 'low'
            -- who gives copies to this account on a third day of a week does so each day: backups, images, a move
            WHEN days >= 3 THEN 'low'
            ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NOT NULL THEN 'Somebody tried to share an AMI outside the account'
            WHEN regexp_like(coalesce(requestParameters -> 'launchPermission' ->> 'add', requestParameters), '"all"') THEN 'AMI was made public'
            ELSE 'AMI was shared with another account' END AS title
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || (requestParameters ->> 'imageId')) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource = 'ec2.amazonaws.com'
        AND eventName = 'ModifyImageAttribute'
        AND (regexp_like(without_own(requestParameters -> 'launchPermission' ->> 'add', account), '"all"|[0-9]{12}')
             OR requestParameters ->> 'operationType' = 'add'
                AND regexp_like(without_own(requestParameters, account), '"(all|[0-9]{12})"'))
      WINDOW week AS (PARTITION BY account, CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN userIdentity.arn ELSE coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) END, is_person(), is_by_hand_or_script(), userIdentity.invokedBy, errorCode IS NULL, coalesce(requestParameters -> 'launchPermission' ->> 'add', requestParameters)
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%'
