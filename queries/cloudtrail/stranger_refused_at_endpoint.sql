-- title           = "Call with credentials of another account was stopped by the policy of a VPC endpoint"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.t1537", "attack.t1567.002"]
-- remedy          = "Find the host in the network that made the call (the address is its own), and who brought the keys: that is how data is carried to an account of somebody else. The policy held."
-- false_positives = "A tool or agent of a vendor that works with keys of its own; accounts of your organization that the policy has left out."
-- key             = ["account", "vpcEndpointId", "userIdentity.accountId"]
SELECT eventTime,
       eventSource AS service,
       eventName,
       userIdentity.accountId AS of_account,
       vpcEndpointId AS resource,
       sourceIPAddress,
       errorMessage
FROM cloudtrail
WHERE eventType = 'AwsVpceEvent'
  AND errorCode = 'VpceAccessDenied'
  AND without_own(userIdentity.accountId, coalesce(vpcEndpointAccountId, account)) <> ''
