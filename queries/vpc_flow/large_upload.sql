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
  AND pkt_dst_aws_service IS NULL
