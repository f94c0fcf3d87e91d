-- title           = "WAF web ACL was left without rules"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.001", "attack.t1562.007"]
-- remedy          = "Put the rules back (the web ACL's earlier state is in Config), and look at the requests since."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'name' AS resource
FROM cloudtrail
WHERE eventSource = 'wafv2.amazonaws.com'
  AND eventName = 'UpdateWebACL'
  AND json_length(requestParameters, 'rules') = 0
  AND NOT json_contains(requestParameters, 'defaultAction', 'block')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
