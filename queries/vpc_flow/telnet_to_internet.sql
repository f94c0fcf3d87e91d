-- title           = "Host opened a telnet connection to the internet"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["interface_id"]
-- tags            = ["attack.lateral_movement", "attack.t1021", "attack.discovery", "attack.t1046"]
-- remedy          = "Find the process: servers seldom speak telnet, worms that look for devices do. If it is one: isolate the host, and look at how it was entered."
-- false_positives = "Somebody tests whether a port is open with the telnet program, rarely port 23 itself."
SELECT srcaddr, dstaddr, dstport, packets, bytes
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (23, 2323)
  AND protocol = 6
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
