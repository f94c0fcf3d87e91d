-- title           = "Remote administration port accepted a connection from the internet"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "interface_id", "dstport"]
-- tags            = ["attack.initial_access", "attack.t1133", "cis.5.2"]
-- remedy          = "Close the port in the security group and use Session Manager or a VPN; check the logins of the host since first_seen."
-- false_positives = "A bastion host that is meant to be reached from anywhere."
SELECT srcaddr, dstaddr, dstport, packets, bytes,
       CASE WHEN packets < 4 THEN 'low' ELSE 'medium' END AS severity
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (22, 3389, 5900, 5901, 5985, 5986)
  AND protocol = 6
  AND NOT ip_is_private(srcaddr)
  AND (flow_direction = 'ingress' OR flow_direction IS NULL AND ip_is_private(dstaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
