-- title           = "Policy of the organization was rewritten and forbids nothing any more"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.001", "attack.t1666"]
-- remedy          = "Put the former content back (the policy's earlier content is in the trail: the UpdatePolicy before this one), and read what the accounts did meanwhile."
-- false_positives = "An organization that allows by lists: a policy of those has no denials."
SELECT eventTime,
       eventName,
       requestParameters ->> 'content' AS content,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'policyId' AS resource
FROM cloudtrail
WHERE eventSource = 'organizations.amazonaws.com'
  AND eventName = 'UpdatePolicy'
  AND requestParameters ->> 'content' LIKE '%"Statement"%'
  AND NOT regexp_like(requestParameters ->> 'content', '"Effect"\s*:\s*"Deny"')
  AND errorCode IS NULL
