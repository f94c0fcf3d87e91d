-- title           = "Many internal hosts connected to one internet address on an unusual port"
-- severity        = "medium"
-- confidence      = "low"
-- tags            = ["attack.command_and_control", "attack.t1571", "attack.t1095"]
-- remedy          = "Look up the address; look at the process behind the connections on two of the hosts; block the address if nobody knows it."
-- false_positives = "Agents of a monitoring or security product with a port of its own; put its addresses in the suppress list."
SELECT dstaddr, dstport,
       count(DISTINCT srcaddr) AS hosts,
       sample(srcaddr) AS some_hosts,
       sum(bytes) AS bytes_sent,
       dstaddr AS resource
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND protocol = 6
  AND dstport NOT IN (21, 22, 25, 43, 53, 80, 88, 110, 123, 143, 389, 443, 465, 587, 636, 853, 873, 989, 990, 993, 995, 1433, 1521, 1883, 2049, 3128, 3306,
                      4317, 4318, 5222, 5223, 5228, 5432, 5671, 5672, 6379, 6514, 8000, 8080, 8081, 8443, 8883, 9092, 9093, 9094, 9096, 9098, 9418, 9443,
                      10516, 27017)
  AND dstport < 32768
  AND packets >= 4
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
  AND pkt_dst_aws_service IS NULL
GROUP BY dstaddr, dstport, account, hop("start", INTERVAL '20 minutes', INTERVAL '1 hour')
HAVING count(DISTINCT srcaddr) >= 10
