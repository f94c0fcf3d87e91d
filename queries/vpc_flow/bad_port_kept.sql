-- title           = "Host kept a connection to an internet port that mining pools, Tor, IRC or remote shells use"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.command_and_control", "attack.t1571", "attack.t1090.003", "attack.impact", "attack.t1496.001"]
-- remedy          = "Look up the destination; find the process behind the connection and what the CPU does. If nobody put it there: isolate the host, and look at how it was entered."
-- false_positives = "Services of partners that use such a number."
-- description     = "Records of ten different moments within an hour, to one address and port. A single connection is told as low, by the rules of each kind of port."
SELECT srcaddr, dstaddr, dstport,
       count(DISTINCT "start") AS moments,
       sum(bytes) AS bytes_sent,
       dstaddr AS resource
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (3333, 4444, 5555, 7777, 14433, 14444, 45560, 45700, 9001, 9030, 9050, 9150, 6660, 6665, 6666, 6667, 6668, 6669, 6697, 1337, 31337)
  AND protocol = 6
  AND packets >= 4
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
GROUP BY srcaddr, interface_id, dstaddr, dstport, account, hop("start", INTERVAL '10 minutes', INTERVAL '1 hour')
HAVING count(DISTINCT "start") >= 10
