-- title           = "Internal host had SSH, RDP or WinRM sessions on many hosts within hours"
-- severity        = "medium"
-- confidence      = "medium"
-- dedupe          = "7d"
-- tags            = ["attack.lateral_movement", "attack.t1021.004", "attack.t1021.001", "attack.t1021.006"]
-- remedy          = "Ask who works from the source. If it is no bastion and runs no deployments: isolate it, find how it was entered and whose key it used, and look on the hosts in the list for what was done."
-- false_positives = "Bastions, deployments (Ansible) and vulnerability scanners, of which one finding a week tells: put their addresses in the suppress list."
SELECT srcaddr, dstport,
       count(DISTINCT dstaddr) AS hosts,
       sample(dstaddr) AS some_hosts,
       sum(bytes) AS bytes_sent
FROM vpc_flow
WHERE dstport IN (22, 3389, 5985, 5986)
  AND action = 'ACCEPT'
  AND protocol = 6
  -- fewer knock at the port, which another rule tells
  AND packets >= 4
  AND ip_is_private(srcaddr)
  AND ip_is_private(dstaddr)
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
GROUP BY srcaddr, dstport, account, hop("start", INTERVAL '30 minutes', INTERVAL '2 hours')
HAVING count(DISTINCT dstaddr) >= 10
    OR dstport = 3389
       AND count(DISTINCT dstaddr) >= 8
