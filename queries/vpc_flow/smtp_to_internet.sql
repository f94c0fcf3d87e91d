-- title           = "Host sent mail to the internet on port 25"
-- severity        = "low"
-- confidence      = "medium"
-- key             = ["account", "interface_id"]
-- tags            = ["attack.impact", "attack.t1496"]
-- remedy          = "Check that the host is a mail server; otherwise it may be sending spam. If it does: block port 25 outbound and find the process. Use Amazon SES on port 587."
-- false_positives = "A mail server."
SELECT srcaddr, dstaddr, dstport, packets, bytes
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport = 25
  AND protocol = 6
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
