-- title        = "AWS found a leaked access key and quarantined its user"
-- severity     = "critical"
-- tags         = ["attack.credential_access", "attack.t1552.001", "attack.t1552"]
-- remedy       = "Deactivate the keys of the user now, read the case that AWS opened, and go through everything the keys did since they leaked."
-- aws_services = true
-- confidence   = "high"
-- key          = ["account", "requestParameters ->> 'userName'"]
SELECT eventTime, eventName,
       requestParameters ->> 'userName' AS of_user,
       requestParameters ->> 'policyArn' AS policy,
       sourceIPAddress,
       'user/' || (requestParameters ->> 'userName') AS resource
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'AttachUserPolicy'
  AND requestParameters ->> 'policyArn' LIKE '%:policy/AWSCompromisedKeyQuarantine%'
  AND errorCode IS NULL
