-- title    = "EC2 instance was allowed to hand out credentials without a session token (IMDSv1)"
-- severity = "medium"
-- tags     = ["attack.credential_access", "attack.t1552.005", "cis.5.6"]
-- remedy   = "Set HttpTokens to required again; check whether what runs on the instance can be made to fetch URLs, and whether its role was used from elsewhere."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters -> 'ModifyInstanceMetadataOptionsRequest' ->> 'InstanceId', requestParameters ->> 'instanceId', account) AS resource,
       -- account_guard_removed tells it
       CASE WHEN eventName = 'ModifyInstanceMetadataDefaults' THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('ModifyInstanceMetadataOptions', 'ModifyInstanceMetadataDefaults')
  AND errorCode IS NULL
  AND coalesce(requestParameters -> 'ModifyInstanceMetadataOptionsRequest' ->> 'HttpTokens', requestParameters -> 'ModifyInstanceMetadataDefaultsRequest' ->> 'HttpTokens', requestParameters ->> 'httpTokens') = 'optional'
