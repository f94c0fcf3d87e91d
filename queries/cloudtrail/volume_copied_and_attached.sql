-- title           = "Copy of a volume was made from a snapshot and attached to an instance"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1578.001", "attack.collection", "attack.t1005"]
-- remedy          = "Ask the person which instance the copy went to and why. If nobody can say: detach it, keep it as evidence, and treat every key and password hash on the volume as known to others."
-- false_positives = "Forensics; a file that is fetched from a backup; a volume that is encrypted or moved to another zone, where the old one is detached (low)."
-- description     = "A snapshot, a volume from a snapshot, and an attachment, in this order within an hour and by one person or instance. It reads a disk without touching the instance that uses it."
SELECT userIdentity.arn AS who,
       sample(requestParameters ->> 'volumeId') FILTER (WHERE eventName = 'CreateSnapshot') AS copied,
       sample(requestParameters ->> 'snapshotId') AS snapshots,
       sample(requestParameters ->> 'instanceId') FILTER (WHERE eventName = 'AttachVolume') AS attached_to,
       sample(requestParameters ->> 'volumeId') FILTER (WHERE eventName = 'CreateSnapshot') AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(*) FILTER (WHERE eventName = 'DetachVolume') > 0 THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('CreateSnapshot', 'CreateVolume', 'AttachVolume', 'DetachVolume')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (eventName <> 'CreateVolume' OR requestParameters ->> 'snapshotId' LIKE 'snap-%')
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '20 minutes', INTERVAL '1 hour')
HAVING min(eventTime) FILTER (WHERE eventName = 'CreateSnapshot') < max(eventTime) FILTER (WHERE eventName = 'CreateVolume')
   AND min(eventTime) FILTER (WHERE eventName = 'CreateVolume') < max(eventTime) FILTER (WHERE eventName = 'AttachVolume')
