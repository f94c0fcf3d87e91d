-- title    = "OpenID Connect identity provider was created or changed"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.privilege_escalation", "attack.t1484.002", "attack.t1556.007"]
-- remedy   = "Check that the issuer is one you use; roles that trust it can be assumed by whoever it vouches for. Delete it if unknown."
SELECT eventTime, eventName,
       coalesce(requestParameters ->> 'url', requestParameters ->> 'openIDConnectProviderArn') AS issuer,
       sourceIPAddress, userAgent,
       coalesce(json_get_str(responseElements, 'openIDConnectProviderArn'), requestParameters ->> 'openIDConnectProviderArn', requestParameters ->> 'url') AS resource,
       CASE WHEN NOT is_infrastructure_tool()
                 AND eventName <> 'CreateOpenIDConnectProvider' AND coalesce(requestParameters ->> 'openIDConnectProviderArn', '') NOT LIKE '%oidc.eks.%' THEN 'medium'
            WHEN eventName <> 'CreateOpenIDConnectProvider' OR regexp_like(requestParameters ->> 'url', '^(https://)?oidc\.eks\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|api\.aws)/id/') THEN 'low'
            ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreateOpenIDConnectProvider', 'UpdateOpenIDConnectProviderThumbprint', 'AddClientIDToOpenIDConnectProvider')
  AND errorCode IS NULL
