-- title           = "Host opened a remote desktop connection to the internet"
-- severity        = "low"
-- confidence      = "medium"
-- key             = ["interface_id", "dstaddr"]
-- tags            = ["attack.lateral_movement", "attack.t1021.001"]
-- remedy          = "Ask the owner of the host; if nobody was at its desktop, treat it as a hop of somebody else: isolate it, and look at how it was entered."
-- false_positives = "Administrators of hosts elsewhere."
SELECT srcaddr, dstaddr, dstport, packets, bytes
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport = 3389
  AND protocol = 6
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
