-- title           = "Host connected to many more addresses than it ever does"
-- severity        = "medium"
-- tags            = ["attack.discovery", "attack.t1046", "attack.t1018"]
-- remedy          = "Find the process; if nobody runs a scan on purpose, isolate the host and look at how it was entered."
-- false_positives = "A scanner, or a service with a new dependency."
SELECT srcaddr,
       count(DISTINCT dstaddr) AS destinations,
       count(*) AS flows,
       sample(dstaddr) AS some_destinations
FROM vpc_flow
WHERE protocol = 6
  AND ip_is_private(srcaddr)
GROUP BY srcaddr, account, tumble("start", INTERVAL '10 minutes')
HAVING unusual_rate(count(DISTINCT dstaddr), 0.2)
  AND count(DISTINCT dstaddr) >= 30
