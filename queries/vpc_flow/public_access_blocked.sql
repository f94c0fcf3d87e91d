-- title      = "VPC Block Public Access stopped traffic"
-- severity   = "informational"
-- confidence = "high"
-- key        = ["account", "interface_id"]
-- tags       = ["attack.initial_access", "attack.t1133"]
-- remedy     = "If the traffic was wanted, make an exclusion for its subnet; if not, remove the route or address that invites it."
SELECT srcaddr, dstaddr, dstport, packets, bytes, reject_reason
FROM vpc_flow
WHERE reject_reason = 'BPA'
  AND action = 'REJECT'
