-- title           = "VPC peering was asked of another account by hand"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.lateral_movement", "attack.t1537", "attack.t1133"]
-- remedy          = "Find out whose account it is; delete the connection if nobody claims it."
-- false_positives = "Accounts of your own."
SELECT eventTime,
       eventName,
       requestParameters ->> 'peerOwnerId' AS other_account,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'vpcId' AS resource
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'CreateVpcPeeringConnection'
  AND without_own(requestParameters ->> 'peerOwnerId', account) <> ''
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
