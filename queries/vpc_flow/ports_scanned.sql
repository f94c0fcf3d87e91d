-- title           = "Internal host tried many ports of another host"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.discovery", "attack.t1046"]
-- remedy          = "Find the process on the source; if nobody runs a scan on purpose, isolate the host and look at how it was entered."
-- false_positives = "Vulnerability scanners; put their addresses in the suppress list."
SELECT srcaddr, dstaddr,
       count(DISTINCT dstport) AS ports,
       sample(dstport) AS some_ports,
       count(*) FILTER (WHERE action = 'REJECT') AS rejected,
       dstaddr AS resource,
       CASE WHEN count(DISTINCT dstport) >= 500 THEN 'high' ELSE 'medium' END AS severity
FROM vpc_flow
WHERE protocol = 6
  AND packets <= 3
  AND dstport < 32768
  AND ip_is_private(srcaddr)
  AND ip_is_private(dstaddr)
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
GROUP BY srcaddr, dstaddr, account, hop("start", INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT dstport) >= 60
   AND count(*) FILTER (WHERE action = 'REJECT') >= 30
