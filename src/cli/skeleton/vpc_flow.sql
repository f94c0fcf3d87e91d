-- title    = "A host on the internet reached a Telnet port"
-- severity = "low"
-- key      = ["interface_id", "srcaddr"]
-- tags     = ["attack.initial_access", "attack.t1133"]
-- remedy   = "Close the port in the security group; see what answered."
SELECT srcaddr, dstaddr, dstport, packets, bytes
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport = 23
  -- loopback, private, link-local, shared and multicast addresses are private
  AND NOT ip_is_private(srcaddr)
