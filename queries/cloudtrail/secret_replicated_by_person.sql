-- title           = "Person had a secret replicated to another Region"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.exfiltration", "attack.t1555.006"]
-- remedy          = "Ask what for; delete the replica if nobody can say, and look at who read it there."
-- false_positives = "Applications that move to a second Region by hand."
SELECT eventTime,
       eventName,
       requestParameters ->> 'addReplicaRegions' AS to_regions,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'secretId' AS resource
FROM cloudtrail
WHERE eventSource = 'secretsmanager.amazonaws.com'
  AND eventName = 'ReplicateSecretToRegions'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand_or_script()
