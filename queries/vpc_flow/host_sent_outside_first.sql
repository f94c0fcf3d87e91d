-- title           = "Host that had spoken to nobody outside sent much to the internet"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.exfiltration", "attack.t1048", "attack.t1041"]
-- remedy          = "Find the process and the owner of the destination. If nobody knows the transfer: isolate the host, and see what it could read: such a host is often a database."
-- false_positives = "A backup to another provider that begins; a host that is given another task."
-- description     = "A hundred megabytes within six hours, of a host that had ten days of traffic within the network alone. S3 counts as within."
SELECT srcaddr,
       NOT ip_is_private(dstaddr) AND coalesce(pkt_dst_aws_service, 'EC2') = 'EC2' AND NOT cidr_match(dstaddr, '3.5.0.0/16', '16.12.0.0/16', '16.15.0.0/16', '16.182.0.0/16', '18.34.0.0/16', '18.68.0.0/16', '52.92.0.0/16', '52.93.0.0/16', '52.95.128.0/17', '52.216.0.0/14', '54.231.0.0/16') AS outside,
       sum(bytes) AS bytes_sent,
       sample(dstaddr) AS resource,
       sample(dstport) AS ports
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND ip_is_private(srcaddr)
GROUP BY srcaddr, account, outside, tumble("start", INTERVAL '6 hours')
HAVING first_seen(outside, INTERVAL '10 days')
   AND outside
   AND sum(bytes) >= 100000000
