-- title           = "Host flooded one internet address with small packets"
-- severity        = "high"
-- confidence      = "medium"
-- tags            = ["attack.impact", "attack.t1498"]
-- remedy          = "Isolate the host and find the process: it takes part in a denial of service, or answers forged requests. Expect a report of abuse from AWS; look for how it was taken over."
-- false_positives = "Gateways of voice calls and of virtual networks; load tests. Put the destination in the suppress list."
-- description     = "Ten million packets of UDP or ICMP of at most 250 bytes on average, sent to one address within ten minutes: 16,000 a second."
SELECT srcaddr, dstaddr,
       sum(packets) AS packets_sent,
       sum(bytes) AS bytes_sent,
       count(*) AS flows,
       sample(dstport) AS ports,
       sample(srcport) AS from_ports
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND protocol IN (1, 17, 58)
  AND packets >= 10000
  AND bytes <= packets * 250
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND dstport NOT IN (500, 4500, 51820)
  AND pkt_dst_aws_service IS NULL
GROUP BY srcaddr, dstaddr, interface_id, account, hop("start", INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING sum(packets) >= 10000000
