-- title       = "Rights, keys or logs were changed through Cloud Control"
-- severity    = "medium"
-- tags        = ["attack.defense_evasion", "attack.t1578", "attack.persistence", "attack.t1098"]
-- remedy      = "Ask the owner; the call that the service then made in their name is in the trail at the same time, with invokedBy. Undo it there if nobody knows of it."
-- description = "What a service does in a caller's name carries invokedBy, which rules for what people do leave out."
SELECT eventTime,
       eventName,
       requestParameters ->> 'typeName' AS type,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'identifier', requestParameters ->> 'typeName') AS resource
FROM cloudtrail
WHERE eventSource = 'cloudcontrolapi.amazonaws.com'
  AND eventName IN ('CreateResource', 'UpdateResource', 'DeleteResource')
  AND regexp_like(requestParameters ->> 'typeName', '^AWS::(IAM|SSO|Organizations|RolesAnywhere|KMS|SecretsManager|CloudTrail|GuardDuty|Config|SecurityHub|RAM)::')
  AND NOT is_infrastructure_tool()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
