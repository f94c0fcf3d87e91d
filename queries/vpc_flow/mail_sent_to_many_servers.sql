-- title           = "Host delivered mail to very many servers of the internet"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.impact", "attack.t1496", "attack.t1566"]
-- remedy          = "Check that the host is a mail server; otherwise block port 25 outbound, find the process, and look at how it was entered. Use Amazon SES on port 587."
-- false_positives = "A mail server of many recipients; put its address in the suppress list."
SELECT srcaddr,
       count(DISTINCT dstaddr) AS servers,
       sample(dstaddr) AS some_servers,
       sum(bytes) AS bytes_sent,
       count(*) AS flows
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport = 25
  AND protocol = 6
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
GROUP BY srcaddr, interface_id, account, hop("start", INTERVAL '20 minutes', INTERVAL '1 hour')
HAVING count(DISTINCT dstaddr) >= 50
