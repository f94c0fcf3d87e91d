-- title           = "Database port accepted a connection from the internet"
-- severity        = "high"
-- confidence      = "medium"
-- key             = ["account", "interface_id", "dstport"]
-- dedupe          = "7d"
-- tags            = ["attack.initial_access", "attack.t1190"]
-- remedy          = "Take the database off public subnets or limit its security group to known clients; review its login log since first_seen."
-- false_positives = "A managed database opened on purpose for partners with fixed addresses: one finding a week for each port that is open."
SELECT srcaddr, dstaddr, dstport, packets, bytes,
       -- without TCP flags, from a port that services have too, it may be an answer to a connection of our own through a NAT gateway
       CASE WHEN packets < 4 OR tcp_flags IS NULL AND srcport < 32768 THEN 'medium' ELSE 'high' END AS severity
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (1433, 1521, 3306, 5432, 5439, 27017, 9042)
  AND protocol = 6
  AND NOT ip_is_private(srcaddr)
  AND (flow_direction = 'ingress' OR flow_direction IS NULL AND ip_is_private(dstaddr))
  AND srcport >= 1024
  -- the SYN of a client: answers to our own connections, of which later intervals have no flag, are left out
  AND (tcp_flags IS NULL OR tcp_flags & 18 = 2)
