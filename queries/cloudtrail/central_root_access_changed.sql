-- title    = "Central management of root access was switched on or off"
-- severity = "medium"
-- tags     = ["attack.privilege_escalation", "attack.persistence", "attack.t1098", "attack.t1548"]
-- remedy   = "Check that the owner of the organization wanted it: with it on, the management account can act as root in every member account (sts:AssumeRoot). Change it back if the owner did not, and look for AssumeRoot calls since."
SELECT eventTime, eventName, sourceIPAddress, userAgent,
       coalesce(responseElements ->> 'organizationId', account) AS resource,
       CASE WHEN eventName LIKE 'Enable%' THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN eventName LIKE 'Enable%' THEN 'Central management of root access was switched on'
            ELSE 'Central management of root access was switched off' END AS title
FROM cloudtrail
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('EnableOrganizationsRootSessions', 'EnableOrganizationsRootCredentialsManagement',
                    'DisableOrganizationsRootSessions', 'DisableOrganizationsRootCredentialsManagement')
  AND errorCode IS NULL
