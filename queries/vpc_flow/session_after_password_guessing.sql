-- title           = "Long SSH or RDP session came from an internet address that had made many short connections before"
-- severity        = "high"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.initial_access", "attack.t1110", "attack.t1133", "attack.t1021.004", "attack.t1021.001"]
-- remedy          = "Treat the host as taken: isolate it, and look in its log for the login of that address. Then close the port to the internet."
-- false_positives = "Deployments that open a new SSH connection for each step and copy a file in the end."
-- description     = "At least fifteen connections of the size of a refused login within half an hour, and then, from the same address to the same port, one that moved 200 KB or more, in one record or in several of one source port: a password was guessed."
SELECT "start", srcaddr, dstaddr, dstport, tries, packets, moved AS bytes
FROM (SELECT *,
             count(DISTINCT srcport) FILTER (WHERE packets BETWEEN 8 AND 60) OVER before AS tries,
             sum(bytes) FILTER (WHERE packets > 60) OVER before AS moved,
             count(DISTINCT srcport) FILTER (WHERE packets > 60) OVER before AS sessions
      FROM vpc_flow
      WHERE action = 'ACCEPT'
        AND dstport IN (22, 3389)
        AND protocol = 6
        AND NOT ip_is_private(srcaddr)
        AND (flow_direction = 'ingress' OR flow_direction IS NULL AND ip_is_private(dstaddr))
        AND srcport >= 1024
        AND coalesce(tcp_flags & 18, 0) <> 18
      WINDOW before AS (PARTITION BY account, srcaddr, dstaddr, dstport ORDER BY "start"
                        RANGE BETWEEN 1800 PRECEDING AND CURRENT ROW))
WHERE tries >= 15
  AND packets > 60
  AND (bytes >= 200000
       -- a session that lasts has a record in each interval of the log
       OR sessions = 1
          AND moved >= 200000)
