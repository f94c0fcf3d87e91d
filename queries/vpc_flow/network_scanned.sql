-- title           = "Internal host tried many hosts, or many ports of them, in vain"
-- severity        = "medium"
-- confidence      = "medium"
-- dedupe          = "7d"
-- tags            = ["attack.discovery", "attack.t1046", "attack.t1018"]
-- remedy          = "Find the process on the source; if nobody runs a scan on purpose, isolate the host and look at how it was entered. What answered is not in the list: look whether it signed in somewhere. One that goes slowly does not want to be seen."
-- false_positives = "Vulnerability scanners, monitoring that finds hosts by knocking, and servers whose peers are gone, of each of which one finding a week tells; put their addresses in the suppress list."
-- description     = "One finding a week for a host, with the most that it scans within eight hours: a port of many hosts, many ports of one, or some ports of several, fast or slow. A try is in vain that a security group rejects, that nothing answers (where the logs have flags), that says nothing to a port of administration, or, of many ports, that is torn down once it is answered. Answers of servers are none: they come from a low port, or begin no connection; without flags, they go from a port that is no client's to one that may be."
SELECT srcaddr,
       count(DISTINCT dstaddr) AS hosts,
       sample(dstaddr) AS some_hosts,
       count(DISTINCT dstport) AS ports,
       sample(dstport) AS some_ports,
       count(*) FILTER (WHERE action = 'REJECT') AS rejected,
       count(*) AS flows,
       CASE WHEN count(DISTINCT dstaddr) = 1 THEN min(dstaddr) END AS resource,
       CASE WHEN count(DISTINCT dstport) < 20 THEN 'Internal host tried many hosts in vain'
            WHEN count(DISTINCT dstaddr) = 1 THEN 'Internal host tried many ports of another host in vain'
            ELSE 'Internal host tried many ports of several hosts in vain'
       END AS title,
       CASE WHEN count(DISTINCT dstaddr) FILTER (WHERE action = 'REJECT') >= 200 OR count(DISTINCT dstport) >= 500 THEN 'high'
            -- some hosts, one now and one then
            WHEN count(DISTINCT dstport) < 20 AND count(DISTINCT dstaddr) < 60
                 AND count(DISTINCT dstaddr) FILTER (WHERE dstport IN (22, 23, 135, 139, 445, 3389, 5985, 5986)) < 40
                 AND max("start") - min("start") > 3600 THEN 'low'
            ELSE 'medium'
       END AS severity
FROM vpc_flow
WHERE protocol = 6
  AND (action = 'REJECT'
    -- nothing but the packets that ask for a connection
    OR tcp_flags = 2 AND packets <= 7
    -- asked, answered and torn down
    OR tcp_flags = 6 AND packets <= 4
    OR dstport IN (22, 23, 135, 139, 445, 3389, 5985, 5986) AND packets <= 3)
  -- above are the ports of Kubernetes' nodes, of passive FTP and of clients
  AND dstport < 20000
  AND ip_is_private(srcaddr)
  AND ip_is_private(dstaddr)
  AND srcport >= 1024
  -- whoever begins a connection
  AND (tcp_flags & 18 = 2
    OR tcp_flags IS NULL AND action = 'REJECT' AND (srcport >= 32768 OR dstport < 1024))
GROUP BY srcaddr, account, hop("start", INTERVAL '2 hours', INTERVAL '8 hours')
HAVING count(DISTINCT dstaddr) FILTER (WHERE action = 'REJECT') >= 30
    OR count(DISTINCT dstaddr) FILTER (WHERE dstport IN (22, 23, 135, 139, 445, 3389, 5985, 5986)) >= 40
    -- load balancers tear down what they ask of one port of many hosts
    OR count(DISTINCT dstaddr) FILTER (WHERE tcp_flags IS DISTINCT FROM 6) >= 60
    OR count(DISTINCT dstport) >= 20
       AND count(DISTINCT concat(dstaddr, ' ', dstport)) >= 30
       -- a passive FTP server whose ports are closed has none of these, and a Windows host without its domain few others
       AND count(DISTINCT dstport) FILTER (WHERE dstport < 1024) >= 5
    OR count(DISTINCT dstport) >= 200
