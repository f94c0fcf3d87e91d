-- title           = "Host sent far more to the internet than it ever does"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.t1048"]
-- remedy          = "Find the process and the destination; if nobody knows the transfer, isolate the host."
-- false_positives = "A backup or release that is larger than usual."
SELECT srcaddr,
       sum(bytes) AS bytes_out,
       count(DISTINCT dstaddr) AS destinations,
       sample(dstaddr) AS some_destinations
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND ip_is_private(srcaddr)
  AND NOT ip_is_private(dstaddr)
GROUP BY srcaddr, account, tumble("start", INTERVAL '1 hour')
HAVING unusual_rate(sum(bytes), 0.2)
  AND sum(bytes) >= 100000000
