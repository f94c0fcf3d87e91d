-- title           = "VPN or another way into the network was made by hand"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventName"]
-- tags            = ["attack.persistence", "attack.initial_access", "attack.t1133"]
-- remedy          = "Ask the network's owners; delete it if they do not know it, and look at the flows that came over it."
-- false_positives = "Network engineers at work."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(json_get_str(responseElements, 'CreateClientVpnEndpointResponse', 'clientVpnEndpointId'), json_get_str(requestParameters, 'AuthorizeClientVpnIngressRequest', 'ClientVpnEndpointId'),
                json_get_str(responseElements, 'vpnConnection', 'vpnConnectionId'), json_get_str(responseElements, 'customerGateway', 'customerGatewayId'), requestParameters ->> 'customerGatewayId',
                json_get_str(requestParameters, 'CreateInstanceConnectEndpointRequest', 'SubnetId'), requestParameters ->> 'virtualInterfaceId', requestParameters ->> 'directConnectGatewayId', account) AS resource,
       CASE WHEN eventName IN ('CreateClientVpnEndpoint', 'AuthorizeClientVpnIngress') THEN 'VPN for clients was made or opened by hand'
            WHEN eventName IN ('CreateVpnConnection', 'CreateCustomerGateway') THEN 'VPN to another network was made by hand'
            WHEN eventSource = 'directconnect.amazonaws.com' THEN 'Line of another account was let into the network by hand'
            ELSE 'Endpoint for sessions on instances was made by hand' END AS title
FROM cloudtrail
WHERE eventSource IN ('ec2.amazonaws.com', 'directconnect.amazonaws.com')
  AND eventName IN ('CreateClientVpnEndpoint', 'AuthorizeClientVpnIngress', 'CreateVpnConnection', 'CreateCustomerGateway', 'CreateInstanceConnectEndpoint', 'ConfirmPrivateVirtualInterface', 'ConfirmTransitVirtualInterface', 'AcceptDirectConnectGatewayAssociationProposal')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
