-- title           = "Internal host tried many ports of another host and was rejected"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.discovery", "attack.t1046"]
-- remedy          = "Find the process on the source; if nobody runs a scan on purpose, isolate the host and look at how it was entered. One that goes slowly does not want to be seen."
-- false_positives = "Vulnerability scanners; put their addresses in the suppress list."
-- description     = "Sixty ports within eight hours, at once or one after the other: a fast scan and a slow one are one finding, which comes with the sixtieth port."
SELECT srcaddr, dstaddr,
       count(DISTINCT dstport) AS ports,
       sample(dstport) AS some_ports,
       count(*) AS flows,
       dstaddr AS resource,
       CASE WHEN count(DISTINCT dstport) >= 500 THEN 'high' ELSE 'medium' END AS severity
FROM vpc_flow
WHERE action = 'REJECT'
  AND protocol = 6
  AND dstport < 32768
  AND ip_is_private(srcaddr)
  AND ip_is_private(dstaddr)
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
GROUP BY srcaddr, dstaddr, account, hop("start", INTERVAL '2 hours', INTERVAL '8 hours')
HAVING count(DISTINCT dstport) >= 60
