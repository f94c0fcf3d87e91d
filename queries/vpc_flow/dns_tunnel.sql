-- title           = "Host sent unusually much data to an external DNS server"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["interface_id", "dstaddr"]
-- tags            = ["attack.exfiltration", "attack.t1048.003", "attack.command_and_control", "attack.t1071.004"]
-- remedy          = "Turn on Resolver query logging and look at the names asked for; block port 53 to everything but the VPC resolver."
-- false_positives = "A resolver or mail server of our own that asks the internet directly."
SELECT srcaddr, dstaddr, dstport, packets, bytes
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport = 53
  AND bytes >= 1000000
  AND protocol IN (6, 17)
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
