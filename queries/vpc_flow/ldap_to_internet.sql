-- title           = "Host asked a directory or a registry of Java objects on the internet"
-- severity        = "low"
-- confidence      = "medium"
-- key             = ["interface_id", "dstaddr"]
-- tags            = ["attack.initial_access", "attack.t1190", "attack.command_and_control", "attack.t1105"]
-- remedy          = "Find out who owns the address. If nobody knows it: look for Log4Shell and its like in what the host logs and serves, isolate it, and rotate what it could read; block 389, 1099 and 1389 outbound."
-- false_positives = "A directory of a supplier, which is better asked by LDAPS (636)."
SELECT srcaddr, dstaddr, dstport, packets, bytes
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (389, 1099, 1389)
  AND protocol = 6
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
