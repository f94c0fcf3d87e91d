-- title           = "Internal host knocked at a remote administration port of many hosts"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.discovery", "attack.t1046", "attack.t1018"]
-- remedy          = "Find the process on the source; if nobody runs a scan on purpose, isolate the host and look at how it was entered. The hosts are open to it: look whether it signed in somewhere."
-- false_positives = "Vulnerability scanners, and monitoring that only knocks; put their addresses in the suppress list."
-- description     = "Flows of three packets at most, which are let in and in which nothing is said: who manages hosts says more. Of logs with flags network_scanned tells it, by whoever begins the connection."
SELECT srcaddr, dstport,
       count(DISTINCT dstaddr) AS hosts,
       sample(dstaddr) AS some_hosts,
       count(*) AS flows
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (22, 23, 135, 139, 445, 3389, 5985, 5986)
  AND protocol = 6
  AND packets <= 3
  AND ip_is_private(srcaddr)
  AND ip_is_private(dstaddr)
  AND srcport >= 1024
  AND tcp_flags IS NULL
GROUP BY srcaddr, dstport, account, hop("start", INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT dstaddr) >= 40
