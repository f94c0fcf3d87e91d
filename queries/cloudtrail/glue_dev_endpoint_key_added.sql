-- title      = "SSH key was added to a Glue development endpoint"
-- severity   = "high"
-- confidence = "high"
-- tags       = ["attack.persistence", "attack.privilege_escalation", "attack.t1098.004"]
-- remedy     = "Remove the key, revoke the sessions of the endpoint's role, and see what the role did since."
SELECT requestParameters ->> 'endpointName' AS resource, requestParameters ->> 'addPublicKeys' AS added, userAgent
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName = 'UpdateDevEndpoint'
  AND errorCode IS NULL
  AND (json_contains(requestParameters, 'publicKey') OR json_length(requestParameters, 'addPublicKeys') > 0)
