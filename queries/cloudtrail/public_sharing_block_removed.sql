-- title    = "Block on public snapshots or images was removed for the account"
-- severity = "high"
-- tags     = ["attack.defense_evasion", "attack.t1562.001", "attack.exfiltration", "attack.t1537"]
-- remedy   = "Turn the block on again, then look for ModifySnapshotAttribute and ModifyImageAttribute with the group all."
SELECT eventTime,
       eventName,
       errorCode,
       awsRegion,
       sourceIPAddress,
       userAgent,
       account AS resource,
       CASE WHEN errorCode IS NULL THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Block on public snapshots or images was removed for the account'
            ELSE 'Somebody tried to remove the block on public snapshots or images' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('DisableSnapshotBlockPublicAccess', 'DisableImageBlockPublicAccess')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
