-- title           = "Host opened Windows file sharing to many internal hosts in a short time"
-- severity        = "high"
-- confidence      = "medium"
-- tags            = ["attack.lateral_movement", "attack.discovery", "attack.t1021.002", "attack.t1210", "attack.t1135"]
-- remedy          = "Isolate the host at once and look for encryption or new services on the hosts in the list; then find out how it was entered."
-- false_positives = "Domain controllers, software distribution, backup and vulnerability scanners: put their addresses in the suppress list."
SELECT srcaddr,
       count(DISTINCT dstaddr) AS hosts,
       count(DISTINCT dstaddr) FILTER (WHERE action = 'ACCEPT') AS reached,
       sample(dstaddr) AS some_hosts,
       sum(bytes) AS all_bytes,
       CASE WHEN count(DISTINCT dstaddr) FILTER (WHERE action = 'ACCEPT' AND packets >= 4) >= 10 THEN 'high'
            WHEN count(DISTINCT dstaddr) FILTER (WHERE action = 'ACCEPT') >= 1 THEN 'medium'
            -- network_scanned tells it
            ELSE 'low'
       END AS severity
FROM vpc_flow
WHERE dstport IN (139, 445)
  AND protocol = 6
  AND ip_is_private(srcaddr)
  AND ip_is_private(dstaddr)
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
GROUP BY srcaddr, account, hop("start", INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(DISTINCT dstaddr) >= 25
