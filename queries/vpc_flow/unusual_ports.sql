-- title           = "Host tried many more ports than it ever does"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.t1046"]
-- remedy          = "Find the process; if nobody runs a scan on purpose, isolate the host and look at how it was entered."
-- false_positives = "A vulnerability scanner."
SELECT srcaddr,
       count(DISTINCT dstport) AS ports,
       count(DISTINCT dstaddr) AS destinations,
       sample(dstport) AS some_ports
FROM vpc_flow
WHERE protocol = 6
  AND ip_is_private(srcaddr)
  AND dstport < 32768
GROUP BY srcaddr, account, tumble("start", INTERVAL '10 minutes')
HAVING unusual_rate(count(DISTINCT dstport), 0.2)
  AND count(DISTINCT dstport) >= 30
