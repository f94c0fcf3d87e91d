-- title           = "WAF web ACL was left without rules that stop anything"
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
  -- none at all, or none but such as only count: a group of rules acts by itself unless it is overridden
  AND (json_length(requestParameters, 'rules') = 0
       OR requestParameters ->> 'rules' LIKE '%"count"%'
          AND NOT regexp_like(requestParameters ->> 'rules', '"(action|overrideAction)"\s*:\s*[{]\s*"(block|captcha|challenge|none)"'))
  AND NOT json_contains(requestParameters, 'defaultAction', 'block')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
