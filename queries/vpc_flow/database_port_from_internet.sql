-- title           = "Database port accepted a connection from the internet"
-- severity        = "high"
-- confidence      = "medium"
-- key             = ["account", "interface_id", "dstport"]
-- tags            = ["attack.initial_access", "attack.t1190"]
-- remedy          = "Take the database off public subnets or limit its security group to known clients; review its login log since first_seen."
-- false_positives = "A managed database opened on purpose for partners with fixed addresses."
SELECT srcaddr, dstaddr, dstport, packets, bytes,
       CASE WHEN packets < 4 THEN 'medium' ELSE 'high' END AS severity
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (1433, 1521, 3306, 5432, 5439, 27017, 9042)
  AND protocol = 6
  AND NOT ip_is_private(srcaddr)
  AND (flow_direction = 'ingress' OR flow_direction IS NULL AND ip_is_private(dstaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
