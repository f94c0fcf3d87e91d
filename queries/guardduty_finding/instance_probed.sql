-- title           = "GuardDuty saw an instance probed or its passwords guessed"
-- severity        = "low"
-- confidence      = "medium"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.credential_access", "attack.reconnaissance", "attack.t1110.001", "attack.t1595"]
-- remedy          = "Close the port to the internet (Session Manager needs none), and look for a sign-in that succeeded."
-- false_positives = "Servers that must be open, and scanners of your own."
SELECT title,
       CASE
           WHEN severity >= 9 THEN 'critical'
           WHEN severity >= 7 THEN 'high'
           WHEN severity >= 4 THEN 'medium'
           WHEN severity >= 1 THEN 'low'
           WHEN severity >= 0 THEN 'informational'
       END AS severity,
       type,
       description,
       service.count AS times_seen,
       service.eventFirstSeen AS seen_first,
       service.eventLastSeen AS seen_last,
       coalesce(service.action.networkConnectionAction.localPortDetails.port, service.action.portProbeAction.portProbeDetails[1].localPortDetails.port) AS port,
       resource.instanceDetails.networkInterfaces[1].publicIp AS public_address,
       arn AS guardduty_finding
FROM guardduty_finding
WHERE regexp_like(type, '^(Recon:EC2/PortProbe|UnauthorizedAccess:EC2/(SSH|RDP)BruteForce)')
  AND (service.resourceRole = 'ACTOR') IS NOT TRUE
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
