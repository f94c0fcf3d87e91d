-- title           = "Person changed who gets into a user pool: its identity providers, clients, triggers, MFA or administrators"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventName"]
-- tags            = ["attack.persistence", "attack.t1556", "attack.t1484.002", "attack.t1098", "attack.t1556.006"]
-- remedy          = "Compare the pool with what is in your repository; take the provider or membership back, and sign out who came in by it (AdminUserGlobalSignOut)."
-- false_positives = "Administrators of the application."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'providerName', requestParameters ->> 'groupName') AS what,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'userPoolId' AS resource,
       CASE WHEN eventName IN ('CreateIdentityProvider', 'UpdateIdentityProvider') THEN 'Identity provider of a user pool was added or changed by hand'
            WHEN eventName = 'UpdateUserPoolClient' THEN 'Client of a user pool was changed by hand'
            WHEN eventName IN ('CreateGroup', 'UpdateGroup') THEN 'Group of a user pool was given a role by hand'
            WHEN eventName = 'AdminAddUserToGroup' THEN 'User of a user pool was made administrator'
            WHEN eventName = 'AdminLinkProviderForUser' THEN 'User of a user pool was linked to another sign-in by hand'
            WHEN eventName = 'AdminUpdateUserAttributes' THEN 'E-mail address or number of a user of a user pool was changed by hand'
            WHEN eventName = 'SetRiskConfiguration' THEN 'User pool was told not to check sign-ins from some addresses'
            ELSE 'User pool was set to let in more people, or to run code of another account' END AS title
FROM cloudtrail
WHERE eventSource = 'cognito-idp.amazonaws.com'
  AND eventName IN ('CreateIdentityProvider', 'UpdateIdentityProvider', 'UpdateUserPool', 'UpdateUserPoolClient', 'AdminAddUserToGroup', 'SetRiskConfiguration', 'AdminLinkProviderForUser', 'AdminUpdateUserAttributes', 'CreateGroup', 'UpdateGroup')
  AND (eventName IN ('CreateIdentityProvider', 'UpdateIdentityProvider', 'UpdateUserPoolClient', 'AdminLinkProviderForUser')
       -- who gets the codes gets in; the console is where a help desk works
       OR eventName = 'AdminUpdateUserAttributes'
          AND sessionCredentialFromConsole IS NOT TRUE
       OR requestParameters ->> 'mfaConfiguration' = 'OFF'
       -- the console sends it with every change of a pool
       OR requestParameters -> 'adminCreateUserConfig' ->> 'allowAdminCreateUserOnly' = 'false'
          AND sessionCredentialFromConsole IS NOT TRUE
       OR regexp_like(without_own(requestParameters ->> 'lambdaConfig', account), ':lambda:[a-z0-9-]+:[0-9]{12}:')
       OR json_length(requestParameters, 'riskExceptionConfiguration', 'skippedIPRangeList') > 0
       OR eventName = 'AdminAddUserToGroup'
          AND regexp_like(requestParameters ->> 'groupName', '(?i)admin')
       -- its members get the credentials of it
       OR json_contains(requestParameters, 'roleArn'))
  AND (is_by_hand()
          AND NOT is_infrastructure_tool()
       -- code of a stranger is nobody's work
       OR regexp_like(without_own(requestParameters ->> 'lambdaConfig', account), ':lambda:[a-z0-9-]+:[0-9]{12}:'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
