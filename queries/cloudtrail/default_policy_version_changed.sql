-- title    = "Default version of a policy was switched"
-- severity = "medium"
-- tags     = ["attack.privilege_escalation", "attack.t1098.003", "attack.t1548"]
-- remedy   = "Compare the two versions: an older one may allow more than today's. Switch back if the change is unknown, and delete versions that are not needed."
SELECT eventTime,
       requestParameters ->> 'policyArn' AS resource,
       requestParameters ->> 'versionId' AS version,
       sourceIPAddress, userAgent
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'SetDefaultPolicyVersion'
  AND errorCode IS NULL
