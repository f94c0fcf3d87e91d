-- title    = "Somebody was given access to an account through IAM Identity Center"
-- severity = "low"
-- tags     = ["attack.persistence", "attack.privilege_escalation", "attack.t1098.003", "attack.t1098"]
-- remedy   = "Check that the user or group should have this permission set in this account; take the assignment back (DeleteAccountAssignment) if not."
-- key      = ["account", "userIdentity.arn", "requestParameters ->> 'targetId'"]
SELECT eventTime,
       requestParameters ->> 'principalType' AS principal_type,
       requestParameters ->> 'principalId' AS principal,
       requestParameters ->> 'permissionSetArn' AS permission_set,
       requestParameters ->> 'targetId' AS in_account,
       sourceIPAddress, userAgent,
       requestParameters ->> 'targetId' AS resource,
       -- ordinary work gives access to groups, by a deployment
       CASE WHEN requestParameters ->> 'principalType' = 'USER'
                 AND userIdentity.invokedBy IS NULL
                 AND is_by_hand_or_script() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'sso.amazonaws.com'
  AND eventName = 'CreateAccountAssignment'
  AND errorCode IS NULL
