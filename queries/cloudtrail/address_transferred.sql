-- title    = "Elastic IP address was offered to another account"
-- severity = "medium"
-- tags     = ["attack.impact", "attack.resource_development", "attack.t1583"]
-- remedy   = "Disable the transfer (DisableAddressTransfer) before it is accepted; DNS records and allow lists that name the address would follow it."
SELECT eventTime,
       requestParameters ->> 'transferAccountId' AS to_account,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'allocationId', requestParameters -> 'EnableAddressTransferRequest' ->> 'AllocationId') AS resource
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'EnableAddressTransfer'
  AND errorCode IS NULL
