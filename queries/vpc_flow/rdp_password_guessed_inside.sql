-- title           = "Many short connections came to an RDP port from one internal host"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.lateral_movement", "attack.t1110", "attack.t1021.001"]
-- remedy          = "Look at the sign-ins that failed on the destination: whose names were tried? Isolate the source, and find how it was entered; look for a sign-in that succeeded."
-- false_positives = "A test of a gateway for remote desktops."
-- description     = "Sixty connections of the size of a refused sign-in within a quarter of an hour. SSH is left out: who fetches code from a server within the network makes as many."
SELECT srcaddr, dstaddr,
       count(DISTINCT srcport) AS connections,
       sum(packets) AS all_packets,
       max(packets) AS most_packets,
       max(bytes) AS most_bytes,
       dstaddr AS resource,
       CASE WHEN max(bytes) >= 1000000 THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN max(bytes) >= 1000000 THEN 'Many short connections and a long one came to an RDP port from one internal host'
            ELSE 'Many short connections came to an RDP port from one internal host' END AS title
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport = 3389
  AND protocol = 6
  AND ip_is_private(srcaddr)
  AND ip_is_private(dstaddr)
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
GROUP BY srcaddr, dstaddr, account, hop("start", INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT srcport) FILTER (WHERE packets BETWEEN 8 AND 60) >= 60
