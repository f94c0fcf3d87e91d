-- title           = "Docker, Kubernetes or etcd API accepted a connection from the internet"
-- severity        = "high"
-- confidence      = "medium"
-- key             = ["account", "interface_id", "dstport"]
-- tags            = ["attack.initial_access", "attack.execution", "attack.t1133", "attack.t1610"]
-- remedy          = "Close the port to the internet; list containers and pods started since first_seen and rotate the credentials of the node role."
-- false_positives = "A Kubernetes API server (6443) that is public on purpose and asks for certificates."
SELECT srcaddr, dstaddr, dstport, packets, bytes,
       CASE WHEN packets < 4 THEN 'medium' ELSE 'high' END AS severity
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (2375, 2376, 2379, 2380, 6443, 10250, 10255)
  AND protocol = 6
  AND NOT ip_is_private(srcaddr)
  AND (flow_direction = 'ingress' OR flow_direction IS NULL AND ip_is_private(dstaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
