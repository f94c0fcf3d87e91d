-- title           = "WAF web ACL was left without rules that stop anything"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.001", "attack.t1562.007"]
-- remedy          = "Put the rules back (the web ACL's earlier state is in Config), and look at the requests since."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'name', requestParameters -> 'loggingConfiguration' ->> 'resourceArn') AS resource,
       CASE WHEN eventName = 'PutLoggingConfiguration' THEN 'WAF log was set to keep nothing'
            WHEN eventName IN ('UpdateWebACL', 'UpdateRuleGroup') THEN 'WAF web ACL was left without rules that stop anything'
            WHEN json_length(requestParameters, 'addresses') = 0 THEN 'WAF list of addresses was emptied by hand'
            ELSE 'WAF list of addresses was given a large part of the internet' END AS title
FROM cloudtrail
WHERE eventSource = 'wafv2.amazonaws.com'
  AND eventName IN ('UpdateWebACL', 'UpdateIPSet', 'CreateIPSet', 'UpdateRuleGroup', 'PutLoggingConfiguration')
  -- none at all, or none but such as only count: a group of rules acts by itself unless it is overridden
  AND (json_length(requestParameters, 'rules') = 0
       OR requestParameters -> 'loggingConfiguration' -> 'loggingFilter' ->> 'defaultBehavior' = 'DROP'
          AND json_length(requestParameters, 'loggingConfiguration', 'loggingFilter', 'filters') = 0
       -- programs empty their lists of who is blocked when it is over
       OR eventName = 'UpdateIPSet' AND json_length(requestParameters, 'addresses') = 0
          AND is_by_hand()
          AND NOT is_infrastructure_tool()
       OR array_any_match(json_texts(requestParameters, 'addresses'), v -> regexp_like(v, '/[0-3]$'))
       OR requestParameters ->> 'rules' LIKE '%"count"%'
          AND NOT regexp_like(requestParameters ->> 'rules', '"(action|overrideAction)"\s*:\s*[{]\s*"(block|captcha|challenge|none)"'))
  AND NOT json_contains(requestParameters, 'defaultAction', 'block')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
