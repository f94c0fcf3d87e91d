-- title           = "Many snapshots or images were shared by one principal"
-- severity        = "high"
-- confidence      = "medium"
-- tags            = ["attack.exfiltration", "attack.t1537"]
-- remedy          = "Take the permissions back, find out whose accounts they went to, and rotate every password and key on those disks and in those databases."
-- false_positives = "Backup to an account of your own; image pipelines."
SELECT userIdentity.arn AS who,
       count(DISTINCT coalesce(requestParameters ->> 'snapshotId', requestParameters ->> 'imageId', requestParameters ->> 'dBSnapshotIdentifier', requestParameters ->> 'dBClusterSnapshotIdentifier')) AS shared,
       sample(coalesce(requestParameters -> 'createVolumePermission' ->> 'add', requestParameters -> 'launchPermission' ->> 'add', requestParameters ->> 'valuesToAdd')) AS shared_with,
       sample(eventName) AS calls,
       sample(coalesce(requestParameters ->> 'snapshotId', requestParameters ->> 'imageId', requestParameters ->> 'dBSnapshotIdentifier', requestParameters ->> 'dBClusterSnapshotIdentifier')) AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       -- each snapshot that a person shares is told as high, each image and what a program shares as medium
       CASE WHEN count(*) FILTER (WHERE is_person()) = 0 THEN 'low'
            WHEN count(*) FILTER (WHERE eventName = 'ModifyImageAttribute') = count(*) THEN 'high'
            ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventName IN ('ModifySnapshotAttribute', 'ModifyImageAttribute', 'ModifyDBSnapshotAttribute', 'ModifyDBClusterSnapshotAttribute')
  AND eventSource IN ('ec2.amazonaws.com', 'rds.amazonaws.com')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND regexp_like(without_own(coalesce(requestParameters -> 'createVolumePermission' ->> 'add', requestParameters -> 'launchPermission' ->> 'add', requestParameters ->> 'valuesToAdd'), account),
                  '[0-9]{12}|"all"')
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT coalesce(requestParameters ->> 'snapshotId', requestParameters ->> 'imageId', requestParameters ->> 'dBSnapshotIdentifier', requestParameters ->> 'dBClusterSnapshotIdentifier')) >= 5
