-- title           = "Data store without login by default accepted a connection from the internet"
-- severity        = "high"
-- confidence      = "medium"
-- key             = ["account", "interface_id", "dstport"]
-- dedupe          = "7d"
-- tags            = ["attack.initial_access", "attack.collection", "attack.t1190", "attack.t1213"]
-- remedy          = "Close the port to the internet, then look for written keys, cron jobs and dumps: Redis, Elasticsearch and Memcached are taken over within hours."
-- false_positives = "A cluster that asks for a password and is public on purpose."
SELECT srcaddr, dstaddr, dstport, packets, bytes,
       -- without TCP flags, from a port that services have too, it may be an answer to a connection of our own through a NAT gateway
       CASE WHEN packets < 4 OR tcp_flags IS NULL AND srcport < 32768 THEN 'medium' ELSE 'high' END AS severity
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (2181, 5601, 5984, 6379, 9092, 9200, 9300, 11211)
  AND protocol IN (6, 17)
  AND NOT ip_is_private(srcaddr)
  AND (flow_direction = 'ingress' OR flow_direction IS NULL AND ip_is_private(dstaddr))
  AND srcport >= 1024
  -- the SYN of a client: answers to our own connections, of which later intervals have no flag, are left out
  AND (protocol = 17 OR tcp_flags IS NULL OR tcp_flags & 18 = 2)
