-- title           = "Docker, Kubernetes or etcd API accepted a connection from the internet"
-- severity        = "high"
-- confidence      = "medium"
-- key             = ["account", "interface_id", "dstport"]
-- dedupe          = "7d"
-- tags            = ["attack.initial_access", "attack.execution", "attack.t1133", "attack.t1610"]
-- remedy          = "Close the port to the internet; list containers and pods started since first_seen and rotate the credentials of the node role."
-- false_positives = "A Kubernetes API server (6443) that is public on purpose and asks for certificates."
SELECT srcaddr, dstaddr, dstport, packets, bytes,
       -- without TCP flags, from a port that services have too, it may be an answer to a connection of our own through a NAT gateway
       CASE WHEN packets < 4 OR tcp_flags IS NULL AND srcport < 32768 THEN 'medium' ELSE 'high' END AS severity
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (2375, 2376, 2379, 2380, 6443, 10250, 10255)
  AND protocol = 6
  AND NOT ip_is_private(srcaddr)
  AND (flow_direction = 'ingress' OR flow_direction IS NULL AND ip_is_private(dstaddr))
  AND srcport >= 1024
  -- the SYN of a client: answers to our own connections, of which later intervals have no flag, are left out
  AND (tcp_flags IS NULL OR tcp_flags & 18 = 2)
