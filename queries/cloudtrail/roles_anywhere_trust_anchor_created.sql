-- title    = "Roles Anywhere was told to trust a certificate authority"
-- severity = "high"
-- tags     = ["attack.persistence", "attack.t1098.001", "attack.t1556", "attack.t1098"]
-- remedy   = "Check whose certificate authority it is. If unknown: disable the trust anchor, list the profiles and the roles they allow, and look for CreateSession calls."
SELECT eventTime, eventName,
       coalesce(requestParameters ->> 'name', json_get_str(responseElements, 'trustAnchor', 'name')) AS trust_anchor,
       json_get_str(requestParameters, 'source', 'sourceType') AS source_type,
       sourceIPAddress, userAgent,
       coalesce(json_get_str(responseElements, 'trustAnchor', 'trustAnchorArn'), requestParameters ->> 'trustAnchorId', requestParameters ->> 'name') AS resource,
       CASE WHEN eventName = 'EnableTrustAnchor' OR json_get_str(requestParameters, 'source', 'sourceType') = 'AWS_ACM_PCA' THEN 'medium' ELSE 'high' END AS severity,
       CASE WHEN eventName = 'EnableTrustAnchor' THEN 'Certificate authority that Roles Anywhere knows was trusted again'
            ELSE 'Roles Anywhere was told to trust a certificate authority' END AS title
FROM cloudtrail
WHERE eventSource = 'rolesanywhere.amazonaws.com'
  AND eventName IN ('CreateTrustAnchor', 'UpdateTrustAnchor', 'EnableTrustAnchor')
  AND (json_contains(requestParameters, 'source')
       -- one that lay still; a deployment enables what it describes
       OR eventName = 'EnableTrustAnchor'
          AND NOT is_infrastructure_tool()
          AND userIdentity.invokedBy IS NULL)
  AND errorCode IS NULL
