-- title    = "Roles Anywhere was told to trust a certificate authority"
-- severity = "high"
-- tags     = ["attack.persistence", "attack.t1098.001", "attack.t1556", "attack.t1098"]
-- remedy   = "Check whose certificate authority it is. If unknown: disable the trust anchor, list the profiles and the roles they allow, and look for CreateSession calls."
SELECT eventTime, eventName,
       coalesce(requestParameters ->> 'name', json_get_str(responseElements, 'trustAnchor', 'name')) AS trust_anchor,
       json_get_str(requestParameters, 'source', 'sourceType') AS source_type,
       sourceIPAddress, userAgent,
       coalesce(json_get_str(responseElements, 'trustAnchor', 'trustAnchorArn'), requestParameters ->> 'trustAnchorId', requestParameters ->> 'name') AS resource,
       CASE WHEN json_get_str(requestParameters, 'source', 'sourceType') = 'AWS_ACM_PCA' THEN 'medium' ELSE 'high' END AS severity
FROM cloudtrail
WHERE eventSource = 'rolesanywhere.amazonaws.com'
  AND eventName IN ('CreateTrustAnchor', 'UpdateTrustAnchor')
  AND json_contains(requestParameters, 'source')
  AND errorCode IS NULL
