-- title      = "VPC encryption control stopped unencrypted traffic"
-- severity   = "low"
-- confidence = "high"
-- key        = ["account", "interface_id"]
-- tags       = ["attack.credential_access", "attack.t1040"]
-- remedy     = "Move the two ends to instance types that encrypt in transit, or speak TLS; the traffic would have gone in the clear."
SELECT srcaddr, dstaddr, dstport, packets, bytes, encryption_status, reject_reason
FROM vpc_flow
WHERE reject_reason = 'EC'
  AND action = 'REJECT'
