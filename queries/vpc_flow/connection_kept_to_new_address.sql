-- title           = "Host kept one connection for half an hour to an address outside that it did not know, at an unusual port"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.command_and_control", "attack.t1571", "attack.t1219"]
-- remedy          = "Find the process on the host and who owns the address. If nobody knows them: isolate the host, keep its memory, and look at how it was entered."
-- false_positives = "Services of partners at a port of their own; a database or broker of a provider that is not in the list."
-- description     = "A remote shell stays open, and has a record in each interval of the log. Ports at which databases, brokers, mail, calls, VPNs and web services are reached outside are left out; those of mining pools and known shells have a rule of their own."
SELECT srcaddr, dstaddr,
       min(dstport) AS dstport,
       max("end") - min("start") AS seconds,
       sum(bytes) AS bytes,
       dstaddr AS resource
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND protocol = 6
  AND ip_is_private(srcaddr)
  AND NOT ip_is_private(dstaddr)
  AND dstport < 32768
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
  AND pkt_dst_aws_service IS NULL
GROUP BY srcaddr, account, dstaddr, tumble("start", INTERVAL '6 hours')
HAVING first_seen(dstaddr, INTERVAL '10 days')
   AND NOT regexp_like(CAST(min(dstport) AS VARCHAR), '^(20|21|22|25|43|53|80|110|119|123|143|179|389|443|465|500|587|636|853|873|990|99[345]|1080|1194|1433|1521|1883|2083|2087|2181|3128|3306|3478|3479|4317|4318|4443|4500|5044|5061|5222|5223|5228|5349|5432|5439|567[12]|6379|6380|7687|8080|8081|8086|8088|8125|8200|8443|8883|9000|909[2-8]|9200|9243|9443|1051[1-6]|1935[0-9]|27015|2701[7-9]|3333|4444|5555|7777|14433|14444)$')
   AND count(DISTINCT srcport) = 1
   AND max("end") - min("start") >= 1800
   AND sum("end" - "start") * 2 > max("end") - min("start")
