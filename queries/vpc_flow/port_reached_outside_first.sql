-- title           = "Host reached a remote access port outside that it had not reached for a month"
-- severity        = "medium"
-- tags            = ["attack.command_and_control", "attack.exfiltration", "attack.t1571", "attack.t1048"]
-- remedy          = "Find the process on the host. If nobody knows it: isolate the host, and block the destination."
-- false_positives = "An administrator who goes from this host to a machine outside."
SELECT srcaddr,
       dstport,
       sample(dstaddr) AS resource,
       sum(bytes) AS bytes,
       count(*) AS flows,
       -- SSH is also how code is fetched from a host of repositories
       CASE WHEN dstport = 22 THEN 'low' ELSE 'medium' END AS severity
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND protocol = 6
  AND ip_is_private(srcaddr)
  AND NOT ip_is_private(dstaddr)
  AND dstport < 32768
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
GROUP BY srcaddr, account, dstport, tumble("start", INTERVAL '1 day')
HAVING first_seen(dstport, INTERVAL '30 days') AND dstport IN (21, 22, 23, 3389, 5900, 5938, 4444, 6667)
