-- title           = "Host connected to a port that mining pools use"
-- severity        = "low"
-- confidence      = "low"
-- key             = ["interface_id", "dstaddr"]
-- tags            = ["attack.impact", "attack.t1496", "attack.t1496.001"]
-- remedy          = "Look up the destination; look at the host for unknown processes with high CPU use, and at how they came in."
-- false_positives = "The port alone is weak evidence: any service may use these numbers, 4444 and 5555 above all."
SELECT srcaddr, dstaddr, dstport, packets, bytes
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (3333, 4444, 5555, 7777, 14433, 14444, 45560, 45700)
  AND protocol = 6
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
