-- title           = "Internal host tried many hosts within hours and was rejected"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.discovery", "attack.t1046", "attack.t1018"]
-- remedy          = "Find the process on the source; if nobody runs a scan on purpose, isolate the host and look at how it was entered. One that goes slowly does not want to be seen."
-- false_positives = "Vulnerability scanners and monitoring that find hosts by knocking; put their addresses in the suppress list."
SELECT srcaddr,
       sample(dstport) AS ports,
       count(DISTINCT dstaddr) AS hosts,
       sample(dstaddr) AS some_hosts,
       count(*) AS flows
FROM vpc_flow
WHERE action = 'REJECT'
  AND protocol = 6
  AND ip_is_private(srcaddr)
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
GROUP BY srcaddr, account, hop("start", INTERVAL '2 hours', INTERVAL '8 hours')
HAVING count(DISTINCT dstaddr) >= 60
