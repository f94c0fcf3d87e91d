-- title           = "Host asked external DNS servers far more than names need"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.exfiltration", "attack.command_and_control", "attack.t1048.003", "attack.t1071.004"]
-- remedy          = "Turn on Resolver query logging and look at the names asked for; block port 53 to everything but the VPC resolver."
-- false_positives = "A resolver or mail server of our own that asks the internet directly."
SELECT srcaddr,
       sum(bytes) AS bytes_sent,
       sum(packets) AS questions,
       count(DISTINCT dstaddr) AS servers,
       sample(dstaddr) AS some_servers
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport = 53
  AND protocol IN (6, 17)
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
GROUP BY srcaddr, interface_id, account, hop("start", INTERVAL '20 minutes', INTERVAL '1 hour')
HAVING sum(bytes) >= 5000000
   -- names are short, whatever carries them
   AND (sum(packets) >= 20000
        OR sum(bytes) >= 300 * sum(packets))
