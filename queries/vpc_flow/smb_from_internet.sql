-- title           = "Windows file sharing or RPC port accepted a connection from the internet"
-- severity        = "high"
-- confidence      = "medium"
-- key             = ["account", "interface_id", "dstport"]
-- tags            = ["attack.initial_access", "attack.t1190"]
-- remedy          = "Close 135, 139 and 445 to the internet; check the host for new services, shares and accounts."
-- false_positives = "None that should stay."
SELECT srcaddr, dstaddr, dstport, packets, bytes,
       CASE WHEN packets < 4 THEN 'medium' ELSE 'high' END AS severity
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (135, 139, 445)
  AND protocol = 6
  AND NOT ip_is_private(srcaddr)
  AND (flow_direction = 'ingress' OR flow_direction IS NULL AND ip_is_private(dstaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
