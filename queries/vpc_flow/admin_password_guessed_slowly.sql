-- title           = "Short connections kept coming to an SSH or RDP port from one internet address for hours"
-- severity        = "medium"
-- confidence      = "medium"
-- dedupe          = "7d"
-- tags            = ["attack.credential_access", "attack.t1110", "attack.t1133"]
-- remedy          = "Close the port to the internet (Session Manager, a VPN), and look in the host's log for a login from the address that succeeded."
-- false_positives = "A monitor outside that opens a new SSH connection every few minutes (one finding a week): give it an address of ours."
-- description     = "Guesses a minute or two apart, so that no short window has many; a pause of more than twenty minutes begins anew."
SELECT srcaddr, dstaddr, dstport,
       count(DISTINCT srcport) AS connections,
       (max("start") - min("start")) / 60 AS minutes,
       sum(bytes) AS all_bytes
FROM vpc_flow
WHERE action = 'ACCEPT'
  AND dstport IN (22, 3389)
  AND protocol = 6
  AND packets BETWEEN 8 AND 60
  AND srcport >= 1024
  AND NOT ip_is_private(srcaddr)
  AND ip_is_private(dstaddr)
GROUP BY srcaddr, dstaddr, dstport, account, session("start", INTERVAL '20 minutes')
HAVING count(DISTINCT srcport) >= 60
   AND max("start") - min("start") >= 7200
