-- title           = "Host connected to a Tor relay port"
-- severity        = "low"
-- confidence      = "low"
-- key             = ["interface_id", "dstaddr"]
-- tags            = ["attack.command_and_control", "attack.t1090.003"]
-- remedy          = "Compare the destination with the list of Tor relays; find the process behind the connection. If nobody put it there: isolate the host, and look at how it was entered."
-- false_positives = "The port alone is weak evidence: other services use 9001 too."
SELECT srcaddr, dstaddr, dstport, packets, bytes
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (9001, 9030, 9050, 9150)
  AND protocol = 6
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
