-- title           = "Port of a Lightsail instance was opened to the internet"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.initial_access", "attack.t1562.007", "attack.t1133"]
-- remedy          = "Close the port, or open it to the addresses that need it."
-- false_positives = "Web servers."
SELECT eventTime,
       eventName,
       requestParameters AS ports,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'instanceName' AS resource
FROM cloudtrail
WHERE eventSource = 'lightsail.amazonaws.com'
  AND eventName IN ('OpenInstancePublicPorts', 'PutInstancePublicPorts')
  AND NOT regexp_like(requestParameters, '"fromPort"\s*:\s*(80|443)\b')
  AND (NOT json_exists(requestParameters, 'portInfo', 'cidrs')
       OR requestParameters -> 'portInfo' ->> 'cidrs' LIKE '%"0.0.0.0/0"%')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
