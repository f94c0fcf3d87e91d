-- title           = "Host was rejected far more often than it ever is"
-- severity        = "low"
-- tags            = ["attack.discovery", "attack.t1046"]
-- remedy          = "See what it tried to reach; if nobody changed a rule or a route, look for the process."
-- false_positives = "A security group that was made narrower."
SELECT srcaddr,
       count(*) AS rejected,
       count(DISTINCT dstaddr) AS destinations,
       count(DISTINCT dstport) AS ports,
       sample(dstaddr) AS some_destinations
FROM vpc_flow
WHERE action = 'REJECT'
  AND ip_is_private(srcaddr)
GROUP BY srcaddr, account, tumble("start", INTERVAL '10 minutes')
HAVING unusual_rate(count(*), 0.2)
  AND count(*) >= 30
