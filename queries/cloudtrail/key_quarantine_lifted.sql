-- title    = "Quarantine of a leaked access key was lifted"
-- severity = "high"
-- tags     = ["attack.defense_evasion", "attack.persistence", "attack.t1562", "attack.t1098"]
-- remedy   = "Make sure that the leaked keys are deleted. If they are not, put the policy back and delete them before anything else."
SELECT eventTime,
       requestParameters ->> 'userName' AS of_user,
       coalesce(requestParameters ->> 'policyArn', requestParameters ->> 'policyName') AS policy,
       sourceIPAddress, userAgent,
       'user/' || (requestParameters ->> 'userName') AS resource,
       CASE WHEN errorCode IS NULL THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Quarantine of a leaked access key was lifted'
            ELSE 'Somebody tried to lift the quarantine of a leaked access key' END AS title
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('DetachUserPolicy', 'DeleteUserPolicy')
  AND (requestParameters ->> 'policyArn' LIKE '%:policy/AWSCompromisedKeyQuarantine%'
       OR requestParameters ->> 'policyName' LIKE 'AWSExposedCredentialPolicy%')
