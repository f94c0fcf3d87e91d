-- title    = "Account was made delegated administrator of a service"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.privilege_escalation", "attack.t1098.003", "attack.t1098"]
-- remedy   = "Check that the account is the one meant for the service: it now controls it in every account. Deregister it if not."
SELECT eventTime,
       requestParameters ->> 'servicePrincipal' AS service,
       requestParameters ->> 'accountId' AS new_administrator,
       sourceIPAddress, userAgent,
       requestParameters ->> 'accountId' AS resource
FROM cloudtrail
WHERE eventSource = 'organizations.amazonaws.com'
  AND eventName = 'RegisterDelegatedAdministrator'
  AND errorCode IS NULL
