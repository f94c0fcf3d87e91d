-- title           = "Remote administration port accepted a connection from the internet"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "interface_id", "dstport"]
-- dedupe          = "7d"
-- tags            = ["attack.initial_access", "attack.t1133", "cis.5.2"]
-- remedy          = "Close the port in the security group and use Session Manager or a VPN; check the logins of the host since first_seen."
-- false_positives = "A bastion host that is meant to be reached from anywhere: one finding a week for each port that is open."
SELECT srcaddr, dstaddr, dstport, packets, bytes,
       -- without TCP flags, from a port that services have too, it may be an answer to a connection of our own through a NAT gateway
       CASE WHEN packets < 4 OR tcp_flags IS NULL AND srcport < 32768 THEN 'low' ELSE 'medium' END AS severity
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (22, 3389, 5900, 5901, 5985, 5986)
  AND protocol = 6
  AND NOT ip_is_private(srcaddr)
  AND (flow_direction = 'ingress' OR flow_direction IS NULL AND ip_is_private(dstaddr))
  AND srcport >= 1024
  -- the SYN of a client: answers to our own connections, of which later intervals have no flag, are left out
  AND (tcp_flags IS NULL OR tcp_flags & 18 = 2)
