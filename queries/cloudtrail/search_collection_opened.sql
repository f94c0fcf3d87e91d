-- title    = "Search collection was opened to the internet or to another account"
-- severity = "medium"
-- tags     = ["attack.exfiltration", "attack.t1537", "attack.initial_access", "attack.t1190"]
-- remedy   = "Name the VPC endpoints, and principals of your own, in the policy; then see who read the collection."
SELECT eventTime,
       eventName,
       requestParameters ->> 'policy' AS policy,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'name' AS resource,
       CASE WHEN is_infrastructure_tool() AND NOT is_person() AND requestParameters ->> 'type' = 'network' THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'aoss.amazonaws.com'
  AND eventName IN ('CreateSecurityPolicy', 'UpdateSecurityPolicy', 'CreateAccessPolicy', 'UpdateAccessPolicy')
  AND (regexp_like(requestParameters ->> 'policy', '"AllowFromPublic"\s*:\s*true')
       OR regexp_like(without_own(requestParameters ->> 'policy', account), '"arn:[a-z-]+:(iam|sts)::[0-9]{12}:'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
