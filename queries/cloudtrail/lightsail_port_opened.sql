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
  AND array_any_match(
        coalesce(json_get_array(requestParameters, 'portInfos'), make_array(json_get_json(requestParameters, 'portInfo'))),
        -- any but those of the web alone
        p -> NOT (p ->> 'fromPort' IN ('80', '443') AND p ->> 'toPort' = p ->> 'fromPort')
             -- to nobody in particular, or to everybody
             AND (NOT (json_contains(p, 'cidrs') OR json_contains(p, 'ipv6Cidrs') OR json_contains(p, 'cidrListAliases'))
                  OR p ->> 'cidrs' LIKE '%"0.0.0.0/0"%'
                  OR p ->> 'ipv6Cidrs' LIKE '%"::/0"%'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
