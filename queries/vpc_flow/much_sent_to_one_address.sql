-- title           = "Host sent several gigabytes to one internet address within an hour"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.exfiltration", "attack.t1048", "attack.t1041"]
-- remedy          = "Find the process and the owner of the destination; if unknown, isolate the host and see what it could read."
-- false_positives = "Backups to another provider, video streams, package mirrors; put the destination in the suppress list."
SELECT srcaddr, dstaddr,
       sum(bytes) AS bytes_sent,
       count(*) AS flows,
       sample(dstport) AS ports,
       CASE WHEN sum(bytes) >= 50000000000 THEN 'high' ELSE 'medium' END AS severity
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND protocol IN (6, 17)
  AND bytes >= 1000000
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
  -- instances are anybody's; in a record without the service's name S3 is told by its addresses
  AND coalesce(pkt_dst_aws_service, 'EC2') = 'EC2'
  AND NOT (dstport = 443
           AND cidr_match(dstaddr, '3.5.0.0/16', '16.12.0.0/16', '16.15.0.0/16', '16.182.0.0/16', '18.34.0.0/16', '18.68.0.0/16', '52.92.0.0/16', '52.93.0.0/16', '52.95.128.0/17', '52.216.0.0/14', '54.231.0.0/16'))
GROUP BY srcaddr, dstaddr, interface_id, account, hop("start", INTERVAL '20 minutes', INTERVAL '1 hour')
HAVING sum(bytes) >= 5000000000
