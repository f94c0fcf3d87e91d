-- title           = "VPN or another way into the network was made by hand"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.initial_access", "attack.t1133"]
-- remedy          = "Ask the network's owners; delete it if they do not know it, and look at the flows that came over it."
-- false_positives = "Network engineers at work."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       eventName AS resource
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('CreateClientVpnEndpoint', 'AuthorizeClientVpnIngress', 'CreateVpnConnection', 'CreateCustomerGateway', 'CreateInstanceConnectEndpoint')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
