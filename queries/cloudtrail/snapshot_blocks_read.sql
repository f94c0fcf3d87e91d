-- title           = "Blocks of EBS snapshots were read through the direct API"
-- severity        = "medium"
-- dedupe          = "7d"
-- tags            = ["attack.exfiltration", "attack.collection", "attack.credential_access", "attack.t1537", "attack.t1005"]
-- remedy          = "Ask the owner of the principal; assume that what the volume held, keys included, is known to whoever read it."
-- false_positives = "Backup and scanning products that read snapshots so, of each of which one finding a week tells: put their roles in the suppress list."
SELECT userIdentity.arn AS who,
       count(*) AS blocks,
       sample(requestParameters ->> 'snapshotId') AS snapshots,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(requestParameters ->> 'snapshotId') AS resource
FROM cloudtrail
WHERE eventSource = 'ebs.amazonaws.com'
  AND eventName = 'GetSnapshotBlock'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
-- what somebody reads with the credentials of a product is not folded into what that reads
GROUP BY userIdentity.arn, account, is_by_hand_or_script(), hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(*) >= 20
    OR count_if(is_by_hand()) >= 1
