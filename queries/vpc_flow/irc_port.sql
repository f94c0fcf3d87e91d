-- title           = "Host connected to an IRC port on the internet"
-- severity        = "low"
-- confidence      = "medium"
-- key             = ["interface_id", "dstaddr"]
-- tags            = ["attack.command_and_control", "attack.t1071"]
-- remedy          = "Find the process behind the connection; bots still take orders over IRC. If nobody chats from the host: isolate it, and look at how it was entered."
-- false_positives = "Chat clients of developers."
SELECT srcaddr, dstaddr, dstport, packets, bytes
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND (dstport BETWEEN 6660 AND 6669 OR dstport = 6697)
  AND protocol = 6
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
