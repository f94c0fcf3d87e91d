-- title      = "Glue development endpoint was created with an SSH key"
-- severity   = "high"
-- confidence = "high"
-- tags       = ["attack.privilege_escalation", "attack.persistence", "attack.execution", "attack.t1098.004", "attack.t1648"]
-- remedy     = "Delete the endpoint, revoke the sessions of its role, and see what the role did since; development endpoints are obsolete, so deny glue:CreateDevEndpoint."
SELECT requestParameters ->> 'endpointName' AS resource, requestParameters ->> 'roleArn' AS role, userAgent
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName = 'CreateDevEndpoint'
  AND errorCode IS NULL
  AND (json_contains(requestParameters, 'publicKey') OR json_contains(requestParameters, 'publicKeys'))
