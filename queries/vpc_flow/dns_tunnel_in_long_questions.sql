-- title           = "Host asked few DNS servers very long questions"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.exfiltration", "attack.t1048.003", "attack.command_and_control", "attack.t1071.004"]
-- remedy          = "Turn on Resolver query logging and look at the names asked for; names that are mostly letters and digits without sense carry data. Isolate the host, and block port 53 to everything but the VPC resolver."
-- false_positives = "Hosts of an Active Directory with very long names; a resolver of our own."
-- description     = "A question for a name takes 60 to 100 bytes with its headers; one that carries data in its names takes 130 to 300."
SELECT srcaddr,
       sum(packets) AS questions,
       sum(bytes) AS bytes_sent,
       sum(bytes) / nullif(sum(packets), 0) AS bytes_a_question,
       count(DISTINCT dstaddr) AS servers,
       sample(dstaddr) AS resource
FROM vpc_flow
WHERE dstport = 53
  AND action = 'ACCEPT'
  AND protocol = 17
  AND ip_is_private(srcaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL)
  AND srcport >= 1024
GROUP BY srcaddr, interface_id, account, hop("start", INTERVAL '20 minutes', INTERVAL '1 hour')
HAVING sum(packets) >= 400
   AND sum(bytes) >= 125 * sum(packets)
   AND count(DISTINCT dstaddr) <= 3
