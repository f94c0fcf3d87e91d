-- title           = "Port that had rejected an internet address began to accept it"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.initial_access", "attack.defense_evasion", "attack.t1133", "attack.t1562.007"]
-- remedy          = "Find the change of the security group or network ACL between the two times in CloudTrail, and ask its author; close the port if it was not meant."
-- false_positives = "An administrator who lets their own address in."
SELECT srcaddr, dstaddr, dstport,
       count(*) FILTER (WHERE action = 'REJECT') AS rejected,
       min("start") FILTER (WHERE action = 'REJECT') AS first_rejected,
       max("start") FILTER (WHERE action = 'ACCEPT') AS last_accepted,
       sum(bytes) FILTER (WHERE action = 'ACCEPT') AS bytes_accepted
FROM vpc_flow
WHERE dstport IN (22, 1433, 2375, 2376, 3306, 3389, 5432, 5900, 5985, 5986, 6379, 6443, 9200, 10250, 11211, 27017)
  AND protocol = 6
  AND NOT ip_is_private(srcaddr)
  AND (flow_direction = 'ingress' OR flow_direction IS NULL AND ip_is_private(dstaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
GROUP BY srcaddr, dstaddr, dstport, interface_id, account, hop("start", INTERVAL '20 minutes', INTERVAL '1 hour')
HAVING count(*) FILTER (WHERE action = 'REJECT') >= 3
   AND min("start") FILTER (WHERE action = 'REJECT') < max("start") FILTER (WHERE action = 'ACCEPT' AND packets >= 8)
