-- title           = "Many short connections came to an SSH or RDP port from one internet address"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.initial_access", "attack.t1110", "attack.t1133"]
-- remedy          = "Close the port to the internet (Session Manager, a VPN), and look in the host's log for a login from the address that succeeded."
-- false_positives = "Deployments that open a new SSH connection for each step."
SELECT srcaddr, dstaddr, dstport,
       count(DISTINCT srcport) AS connections,
       sum(packets) AS all_packets,
       max(packets) AS most_packets,
       sum(bytes) AS all_bytes,
       CASE WHEN max(bytes) >= 1000000 THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN max(bytes) >= 1000000 THEN 'Many short connections and a long one came to an SSH or RDP port from one internet address'
            ELSE 'Many short connections came to an SSH or RDP port from one internet address' END AS title
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (22, 3389)
  AND protocol = 6
  AND NOT ip_is_private(srcaddr)
  AND (flow_direction = 'ingress' OR flow_direction IS NULL AND ip_is_private(dstaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
GROUP BY srcaddr, dstaddr, dstport, account, hop("start", INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT srcport) FILTER (WHERE packets BETWEEN 8 AND 60) >= 40
