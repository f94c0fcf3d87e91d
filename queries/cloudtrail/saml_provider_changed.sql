-- title    = "SAML identity provider was created or its metadata replaced"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.privilege_escalation", "attack.t1484.002", "attack.t1556.007", "attack.t1606.002"]
-- remedy   = "Compare the metadata with that of your identity provider: whoever holds its signing key can sign in as anyone whom the roles trust. Delete or restore it if they differ."
SELECT eventTime, eventName,
       coalesce(requestParameters ->> 'name', requestParameters ->> 'sAMLProviderArn') AS provider,
       sourceIPAddress, userAgent,
       coalesce(json_get_str(responseElements, 'sAMLProviderArn'), requestParameters ->> 'sAMLProviderArn', requestParameters ->> 'name') AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreateSAMLProvider', 'UpdateSAMLProvider')
  AND errorCode IS NULL
