-- title           = "Host tried one port of many internet addresses"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.discovery", "attack.credential_access", "attack.t1046", "attack.t1110"]
-- remedy          = "Isolate the host, and find the process: a host that was taken looks for the next ones, and AWS gets complaints of it. Look at how it was entered."
-- false_positives = "A host that manages servers of other clouds; a proxy whose way out is narrow."
-- description     = "A port of remote administration or of a data store, or any other that is rejected on the way out but those of the web, of names and of mail."
SELECT srcaddr, dstport,
       count(DISTINCT dstaddr) AS addresses,
       sample(dstaddr) AS some_addresses,
       count(*) FILTER (WHERE action = 'REJECT') AS rejected,
       count(*) AS flows
FROM vpc_flow
WHERE (dstport IN (22, 23, 2323, 2375, 2376, 3389, 5555, 5900, 5985, 6379, 10250)
    -- who speaks to the databases of customers says more
    OR dstport IN (1433, 3306, 5432, 9200) AND packets <= 7
    OR action = 'REJECT' AND dstport NOT IN (25, 53, 80, 443, 465, 587, 853))
  AND dstport < 20000 -- ports of clients, to which late answers go
  AND protocol = 6
  AND NOT ip_is_private(dstaddr)
  AND (flow_direction = 'egress' OR flow_direction IS NULL AND ip_is_private(srcaddr))
  AND srcport >= 1024
  AND coalesce(tcp_flags & 18, 0) <> 18
GROUP BY srcaddr, interface_id, dstport, account, hop("start", INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT dstaddr) >= 25
