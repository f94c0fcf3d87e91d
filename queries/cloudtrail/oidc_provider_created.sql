-- title           = "OpenID Connect identity provider was created or changed"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.privilege_escalation", "attack.t1484.002", "attack.t1556.007"]
-- remedy          = "Check that the issuer is one you use; roles that trust it can be assumed by whoever it vouches for. Delete it if unknown."
-- false_positives = "Clusters of EKS, and stack sets that reach every account (low)."
SELECT eventTime, eventName,
       coalesce(requestParameters ->> 'url', requestParameters ->> 'openIDConnectProviderArn') AS issuer,
       sourceIPAddress, userAgent,
       coalesce(json_get_str(responseElements, 'openIDConnectProviderArn'), requestParameters ->> 'openIDConnectProviderArn', requestParameters ->> 'url') AS resource,
       -- what is rolled out to each account of an organization is told where the stack set is changed
       CASE WHEN userIdentity.invokedBy = 'cloudformation.amazonaws.com'
                 AND regexp_like(userIdentity.sessionContext.sessionIssuer.userName, '^(stacksets-exec-[0-9a-f]{16,}|AWSCloudFormationStackSetExecutionRole)$') THEN 'low'
            WHEN NOT is_infrastructure_tool()
                 AND eventName <> 'CreateOpenIDConnectProvider' AND coalesce(requestParameters ->> 'openIDConnectProviderArn', '') NOT LIKE '%oidc.eks.%' THEN 'medium'
            WHEN eventName <> 'CreateOpenIDConnectProvider' OR regexp_like(requestParameters ->> 'url', '^(https://)?oidc\.eks\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|api\.aws)/id/') THEN 'low'
            ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreateOpenIDConnectProvider', 'UpdateOpenIDConnectProviderThumbprint', 'AddClientIDToOpenIDConnectProvider')
  AND errorCode IS NULL
