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
       requestParameters ->> 'directoryId' AS resource,
       CASE WHEN eventName = 'RegisterCertificate' AND requestParameters ->> 'type' = 'ClientCertAuth' THEN 'Directory lets in who has a certificate of another authority'
            WHEN eventName = 'RegisterCertificate' THEN 'Directory trusts the servers of another certificate authority'
            WHEN eventName LIKE '%ConditionalForwarder' THEN 'Directory asks other servers for the names of a domain'
            ELSE 'Directory was made to trust another domain, or was shared with another account' END AS title,
       CASE WHEN eventName = 'RegisterCertificate' AND requestParameters ->> 'type' IS DISTINCT FROM 'ClientCertAuth'
                 OR eventName LIKE '%ConditionalForwarder' AND NOT is_by_hand() THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'ds.amazonaws.com'
  AND eventName IN ('CreateTrust', 'ShareDirectory', 'RegisterCertificate', 'CreateConditionalForwarder', 'UpdateConditionalForwarder')
  AND (eventName NOT IN ('RegisterCertificate', 'CreateConditionalForwarder', 'UpdateConditionalForwarder')
       OR NOT is_infrastructure_tool()
          AND userIdentity.invokedBy IS NULL)
  AND errorCode IS NULL
