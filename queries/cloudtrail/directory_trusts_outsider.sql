-- title    = "Directory was made to trust another domain, or was shared with another account"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.privilege_escalation", "attack.t1484.002"]
-- remedy   = "Check that the domain or account is yours; delete the trust (DeleteTrust) or end the sharing (UnshareDirectory) if not, and reset what its users could reach."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'remoteDomainName', json_get_str(requestParameters, 'shareTarget', 'id')) AS outsider,
       requestParameters ->> 'trustDirection' AS direction,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'directoryId' AS resource
FROM cloudtrail
WHERE eventSource = 'ds.amazonaws.com'
  AND eventName IN ('CreateTrust', 'ShareDirectory')
  AND errorCode IS NULL
