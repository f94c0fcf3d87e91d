-- title           = "Host opened a Windows file sharing connection to the internet"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["interface_id", "dstaddr"]
-- tags            = ["attack.credential_access", "attack.t1187", "attack.exfiltration", "attack.t1048"]
-- remedy          = "Block 139 and 445 outbound; look at the process: SMB to the internet hands over password hashes."
-- false_positives = "Azure Files and a few partner shares are mounted over 445."
SELECT srcaddr, dstaddr, dstport, packets, bytes
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (139, 445)
  AND protocol = 6
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
