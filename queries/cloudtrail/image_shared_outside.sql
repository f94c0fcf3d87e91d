-- title           = "AMI was shared with another account"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.t1537"]
-- remedy          = "Take the permission back with ModifyImageAttribute (remove), find out whose account it is, and assume that what the image held, keys included, is known there."
-- false_positives = "Backup or image pipelines that hand copies to an account of your own; AWS Backup, Data Lifecycle Manager and Image Builder, which hand copies on as they are told (low)."
SELECT eventTime,
       errorCode,
       coalesce(requestParameters -> 'launchPermission' ->> 'add', requestParameters) AS shared_with,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'imageId' AS resource,
       CASE WHEN errorCode IS NOT NULL THEN 'medium'
            WHEN regexp_like(coalesce(requestParameters -> 'launchPermission' ->> 'add', requestParameters), '"all"') THEN 'high'
            -- the plan or policy that a person wrote says with whom; the service only does it
            WHEN userIdentity.invokedBy IN ('backup.amazonaws.com', 'dlm.amazonaws.com', 'imagebuilder.amazonaws.com') THEN 'low'
            ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NOT NULL THEN 'Somebody tried to share an AMI outside the account'
            WHEN regexp_like(coalesce(requestParameters -> 'launchPermission' ->> 'add', requestParameters), '"all"') THEN 'AMI was made public'
            ELSE 'AMI was shared with another account' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'ModifyImageAttribute'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND (regexp_like(replace(requestParameters -> 'launchPermission' ->> 'add', account, ''), '"all"|[0-9]{12}')
       OR requestParameters ->> 'operationType' = 'add'
          AND regexp_like(replace(requestParameters, account, ''), '"(all|[0-9]{12})"'))
