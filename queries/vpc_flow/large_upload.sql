-- title           = "Host sent more than a gigabyte to one internet address in one interval"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["interface_id", "dstaddr"]
-- tags            = ["attack.exfiltration", "attack.t1048", "attack.t1041"]
-- remedy          = "Find the process and the owner of the destination; if unknown, isolate the host and see what it could read."
-- false_positives = "Backups to another provider, video streams, package mirrors."
SELECT srcaddr, dstaddr, dstport, packets, bytes
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND bytes >= 1000000000
  AND protocol IN (6, 17)
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
  -- instances are anybody's; in a record without the service's name S3 is told by its addresses
  AND coalesce(pkt_dst_aws_service, 'EC2') = 'EC2'
  AND NOT (dstport = 443
           AND cidr_match(dstaddr, '3.5.0.0/16', '16.12.0.0/16', '16.15.0.0/16', '16.182.0.0/16', '18.34.0.0/16', '18.68.0.0/16', '52.92.0.0/16', '52.93.0.0/16', '52.95.128.0/17', '52.216.0.0/14', '54.231.0.0/16'))
