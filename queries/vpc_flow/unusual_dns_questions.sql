-- title           = "Host asked external DNS servers far more than it ever does"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.exfiltration", "attack.t1048.003", "attack.command_and_control", "attack.t1071.004"]
-- remedy          = "Turn on Resolver query logging and look at the names asked for; block port 53 to everything but the VPC resolver."
-- false_positives = "A resolver or mail server of our own."
SELECT srcaddr,
       sum(packets) AS questions,
       sum(bytes) AS bytes_sent,
       sample(dstaddr) AS some_servers
FROM vpc_flow
WHERE dstport = 53
  AND action = 'ACCEPT'
  AND ip_is_private(srcaddr)
  AND NOT ip_is_private(dstaddr)
  AND srcport >= 1024
GROUP BY srcaddr, account, tumble("start", INTERVAL '10 minutes')
HAVING unusual_rate(sum(packets), 0.2)
   AND sum(packets) >= 200
