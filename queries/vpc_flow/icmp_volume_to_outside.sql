-- title           = "Host sent unusually much by ICMP to one address outside"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.command_and_control", "attack.exfiltration", "attack.t1095", "attack.t1048.003"]
-- remedy          = "Find the process on the host: pings carry 64 bytes each, tunnels carry files and shells. If nobody knows it: isolate the host, and look up the address."
-- false_positives = "Measurements of a network with large or very many pings."
SELECT srcaddr, dstaddr,
       sum(bytes) AS bytes_sent,
       sum(packets) AS packets_sent,
       dstaddr AS resource
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND protocol IN (1, 58)
  AND ip_is_private(srcaddr)
  AND NOT ip_is_private(dstaddr)
GROUP BY srcaddr, dstaddr, account, hop("start", INTERVAL '20 minutes', INTERVAL '1 hour')
HAVING sum(bytes) >= 10000000
