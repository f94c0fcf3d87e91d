-- title           = "Internal host knocked at one port of many hosts within hours, and none answered"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.discovery", "attack.t1046", "attack.t1018"]
-- remedy          = "Find the process on the source; if nobody runs a scan on purpose, isolate the host and look at how it was entered. Rules that accept everything within a network hide scans from those who look for rejected flows."
-- false_positives = "Vulnerability scanners, and servers whose peers are gone; put their addresses in the suppress list."
SELECT srcaddr, dstport,
       count(DISTINCT dstaddr) AS hosts,
       sample(dstaddr) AS some_hosts,
       count(*) AS flows
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND protocol = 6
  -- nothing but the packets that ask for a connection
  AND tcp_flags = 2
  AND packets <= 7
  AND ip_is_private(srcaddr)
  AND ip_is_private(dstaddr)
  AND srcport >= 1024
GROUP BY srcaddr, dstport, account, hop("start", INTERVAL '2 hours', INTERVAL '8 hours')
HAVING count(DISTINCT dstaddr) >= 60
