-- title    = "Message broker was opened to the internet or to callers without a login"
-- severity = "medium"
-- tags     = ["attack.initial_access", "attack.t1190", "attack.t1133", "attack.exfiltration", "attack.t1537"]
-- remedy   = "Close it again, and look in the broker's log who connected."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'clusterArn', requestParameters ->> 'brokerName', requestParameters ->> 'clusterName') AS resource,
       CASE WHEN eventName = 'UpdateSecurity' THEN 'Kafka cluster was changed to take callers without a login'
            ELSE 'Message broker was opened to the internet or to callers without a login' END AS title
FROM cloudtrail
WHERE eventSource IN ('kafka.amazonaws.com', 'mq.amazonaws.com')
  AND eventName IN ('UpdateConnectivity', 'UpdateSecurity', 'CreateCluster', 'CreateBroker')
  AND (regexp_like(requestParameters, '"publicAccess"\s*:\s*[{]\s*"type"\s*:\s*"SERVICE_PROVIDED_EIPS"|"unauthenticated"\s*:\s*[{]\s*"enabled"\s*:\s*true')
       OR requestParameters ->> 'publiclyAccessible' = 'true')
  AND errorCode IS NULL
