-- title           = "Host calls an address outside at regular intervals that it did not know"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.command_and_control", "attack.t1071", "attack.t1571"]
-- remedy          = "Find the process on the host and who owns the address. If nobody knows them: isolate the host, keep its memory, and look at who else calls this address."
-- false_positives = "Agents and monitoring that were just installed, and services whose addresses change."
SELECT srcaddr, dstaddr,
       min(dstport) AS dstport,
       count(*) AS flows,
       regularity("start") AS regularity,
       (max("start") - min("start")) / nullif(count(DISTINCT "start") - 1, 0) AS seconds_between,
       sum(bytes) AS bytes,
       dstaddr AS resource
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND protocol IN (6, 17)
  AND ip_is_private(srcaddr)
  AND NOT ip_is_private(dstaddr)
  AND dstport NOT IN (53, 123)
  AND dstport < 32768
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
  AND pkt_dst_aws_service IS NULL
GROUP BY srcaddr, account, dstaddr, tumble("start", INTERVAL '6 hours')
HAVING first_seen(dstaddr, INTERVAL '10 days')
   AND (count(DISTINCT "start") >= 20
            AND regularity("start") >= 0.9
        -- seldom, but like a clock, and of one size
        OR count(DISTINCT "start") >= 10
           AND regularity("start") >= 0.9375
           AND max(bytes) <= 2 * min(bytes)
        -- some wait for a little more or less each time: then many, of much the same size
        OR count(DISTINCT "start") >= 30
           AND regularity("start") >= 0.7
           AND max(bytes) <= 4 * min(bytes))
   -- a connection that stays open has a record in each interval of the log, which is regular too
   AND (sum("end" - "start") * 2 <= max("start") - min("start")
        -- one that is made anew each time has a port of its own, though its record may span the interval
        OR count(DISTINCT srcport) * 4 >= count(DISTINCT "start") * 3
           AND max(bytes) <= 4 * min(bytes))
