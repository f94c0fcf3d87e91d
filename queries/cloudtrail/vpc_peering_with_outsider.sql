-- title    = "VPC peering with another account was accepted"
-- severity = "medium"
-- tags     = ["attack.lateral_movement", "attack.t1021", "attack.exfiltration", "attack.t1537"]
-- remedy   = "Find out whose account it is; delete the peering connection and its routes if nobody knows."
SELECT eventTime,
       json_get_str(responseElements, 'vpcPeeringConnection', 'requesterVpcInfo', 'ownerId') AS other_account,
       json_get_str(responseElements, 'vpcPeeringConnection', 'requesterVpcInfo', 'vpcId') AS other_vpc,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'vpcPeeringConnectionId' AS resource
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'AcceptVpcPeeringConnection'
  AND errorCode IS NULL
  AND without_own(json_get_str(responseElements, 'vpcPeeringConnection', 'requesterVpcInfo', 'ownerId'), account) <> ''
