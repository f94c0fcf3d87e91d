-- title           = "Network of another account was joined to a transit gateway, or given an interface"
-- severity        = "medium"
-- tags            = ["attack.lateral_movement", "attack.t1021", "attack.exfiltration", "attack.t1537", "attack.persistence", "attack.t1133"]
-- remedy          = "Find out whose account it is. If it is none of yours: delete the attachment, and look in the flow logs for what went through it."
-- false_positives = "A network account that joins the other accounts of the organization."
SELECT eventTime,
       eventName,
       responseElements AS answer,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters -> 'CreateTransitGatewayPeeringAttachmentRequest' ->> 'TransitGatewayId', requestParameters -> 'AcceptTransitGatewayVpcAttachmentRequest' ->> 'TransitGatewayAttachmentId', requestParameters -> 'AcceptTransitGatewayPeeringAttachmentRequest' ->> 'TransitGatewayAttachmentId', requestParameters -> 'ModifyTransitGatewayRequest' ->> 'TransitGatewayId', requestParameters ->> 'networkInterfaceId', requestParameters ->> 'vpcIdentifier') AS resource,
       CASE WHEN eventName = 'CreateNetworkInterfacePermission' THEN 'Another account may attach an interface of the network to its machines'
            WHEN eventName = 'ModifyTransitGateway' THEN 'Transit gateway was set to take in networks of other accounts by itself'
            WHEN eventSource = 'vpc-lattice.amazonaws.com' THEN 'Network was joined to a service network of another account'
            ELSE 'Network of another account was joined to a transit gateway' END AS title
FROM cloudtrail
WHERE eventSource IN ('ec2.amazonaws.com', 'vpc-lattice.amazonaws.com')
  AND eventName IN ('CreateTransitGatewayPeeringAttachment', 'AcceptTransitGatewayVpcAttachment', 'AcceptTransitGatewayPeeringAttachment', 'ModifyTransitGateway', 'CreateNetworkInterfacePermission', 'CreateServiceNetworkVpcAssociation')
  AND (requestParameters -> 'ModifyTransitGatewayRequest' -> 'Options' ->> 'AutoAcceptSharedAttachments' = 'enable'
          AND NOT is_infrastructure_tool()
       OR regexp_like(without_own(requestParameters, account), '"(PeerAccountId|awsAccountId)"\s*:\s*"?[0-9]{12}')
       -- an organization shares one with its accounts, whose deployments join it
       OR regexp_like(without_own(requestParameters ->> 'serviceNetworkIdentifier', account), ':[0-9]{12}:')
          AND is_by_hand()
          AND NOT is_infrastructure_tool()
          AND userIdentity.invokedBy IS NULL
       OR regexp_like(without_own(responseElements, account), '"(vpcOwnerId|ownerId)"\s*:\s*"[0-9]{12}"'))
  AND errorCode IS NULL
