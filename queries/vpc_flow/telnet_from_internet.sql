-- title           = "Telnet port accepted a connection from the internet"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "interface_id", "dstport"]
-- dedupe          = "7d"
-- tags            = ["attack.initial_access", "attack.credential_access", "attack.t1133", "attack.t1040"]
-- remedy          = "Close the port and replace telnet by SSH or Session Manager; passwords sent over it are to be treated as known."
-- false_positives = "A honeypot."
SELECT srcaddr, dstaddr, dstport, packets, bytes,
       CASE WHEN packets < 4 THEN 'low' ELSE 'medium' END AS severity
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (23, 2323)
  AND protocol = 6
  AND NOT ip_is_private(srcaddr)
  AND (flow_direction = 'ingress' OR flow_direction IS NULL AND ip_is_private(dstaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
