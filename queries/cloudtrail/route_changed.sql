-- title           = "Route to the whole internet was added or replaced"
-- severity        = "low"
-- tags            = ["attack.defense_evasion", "attack.t1562.007", "attack.exfiltration", "cis.4.13"]
-- remedy          = "Compare the route table with its definition in code; a default route to an instance or interface may be a tap on the traffic."
-- false_positives = "New VPCs."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'gatewayId', requestParameters ->> 'natGatewayId', requestParameters ->> 'networkInterfaceId', requestParameters ->> 'instanceId', requestParameters ->> 'vpcPeeringConnectionId', requestParameters ->> 'transitGatewayId') AS via,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'routeTableId' AS resource,
       CASE WHEN NOT coalesce(requestParameters ->> 'destinationCidrBlock', requestParameters ->> 'destinationIpv6CidrBlock', '') IN ('0.0.0.0/0', '::/0') THEN 'Traffic of a network was routed through an instance by hand'
            ELSE 'Route to the whole internet was added or replaced' END AS title,
       CASE WHEN coalesce(requestParameters ->> 'networkInterfaceId', requestParameters ->> 'instanceId') IS NOT NULL THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('CreateRoute', 'ReplaceRoute')
  AND errorCode IS NULL
  AND (coalesce(requestParameters ->> 'destinationCidrBlock', requestParameters ->> 'destinationIpv6CidrBlock') IN ('0.0.0.0/0', '::/0')
       -- a tap on the traffic between networks
       OR coalesce(requestParameters ->> 'networkInterfaceId', requestParameters ->> 'instanceId') IS NOT NULL
          AND is_by_hand()
          AND NOT is_infrastructure_tool())
