-- title           = "GuardDuty saw a workload mine or handle cryptocurrency"
-- severity        = "high"
-- confidence      = "high"
-- key             = ["account", "id"]
-- dedupe          = "3650d"
-- tags            = ["attack.impact", "attack.t1496.001"]
-- remedy          = "Isolate the workload, find how it was entered, and look for instances in other Regions that the same principal started."
-- false_positives = "A business with cryptocurrency."
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
       coalesce(service.action.dnsRequestAction.domain, service.action.networkConnectionAction.remoteIpDetails.ipAddressV4) AS other_side,
       service.action.networkConnectionAction.remotePortDetails.port AS other_port,
       resource.instanceDetails.iamInstanceProfile.arn AS instance_profile,
       arn AS guardduty_finding
FROM guardduty_finding
WHERE (type LIKE 'CryptoCurrency:%' OR type LIKE 'Impact:%/BitcoinDomainRequest%' OR type LIKE 'Impact:%/CryptoMinerExecuted')
  AND sample IS NOT TRUE
  AND service.archived IS NOT TRUE
