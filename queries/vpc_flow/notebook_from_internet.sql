-- title           = "Notebook, job scheduler or console of a message broker accepted a connection from the internet"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "interface_id", "dstport"]
-- dedupe          = "7d"
-- tags            = ["attack.initial_access", "attack.t1190", "attack.t1133", "attack.execution"]
-- remedy          = "Close the port to the internet. Jupyter, YARN and Spark run what they are sent, often without a login: look for jobs and processes started since first_seen, and rotate the credentials of the host's role."
-- false_positives = "Other services on these ports, 8888 above all, that are public on purpose."
SELECT srcaddr, dstaddr, dstport, packets, bytes,
       -- without TCP flags, from a port that services have too, it may be an answer to a connection of our own through a NAT gateway
       CASE WHEN tcp_flags IS NULL AND srcport < 32768 THEN 'low' ELSE 'medium' END AS severity
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (7077, 8088, 8161, 8888, 9870, 15672)
  -- fewer knock at the port
  AND packets >= 4
  AND protocol = 6
  AND NOT ip_is_private(srcaddr)
  AND (flow_direction = 'ingress' OR flow_direction IS NULL AND ip_is_private(dstaddr))
  AND srcport >= 1024
  -- the SYN of a client: answers to our own connections, of which later intervals have no flag, are left out
  AND (tcp_flags IS NULL OR tcp_flags & 18 = 2)
