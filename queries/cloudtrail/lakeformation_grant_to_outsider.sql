-- title           = "Lake Formation permission was granted outside the account"
-- severity        = "high"
-- confidence      = "high"
-- tags            = ["attack.exfiltration", "attack.t1537"]
-- remedy          = "Revoke the grant (lakeformation:RevokePermissions) and list what the outsider read since."
-- false_positives = "Data shared with partners by contract; a data mesh that is deployed from a repository (medium)."
SELECT requestParameters -> 'principal' ->> 'dataLakePrincipalIdentifier' AS principal,
       requestParameters ->> 'resource' AS resource,
       requestParameters ->> 'permissions' AS permissions,
       CASE WHEN requestParameters -> 'principal' ->> 'dataLakePrincipalIdentifier' LIKE 'arn:aws%:organizations:%' THEN 'medium'
            -- what a pipeline is made to do was read by somebody before; an account is not everybody
            WHEN (userIdentity.invokedBy = 'cloudformation.amazonaws.com'
                  OR NOT is_person() AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
                     AND is_infrastructure_tool())
                 AND requestParameters -> 'principal' ->> 'dataLakePrincipalIdentifier' <> 'EVERYONE' THEN 'medium'
            ELSE 'high' END AS severity
FROM cloudtrail
WHERE eventSource = 'lakeformation.amazonaws.com'
  AND eventName = 'GrantPermissions'
  AND errorCode IS NULL
  AND (requestParameters -> 'principal' ->> 'dataLakePrincipalIdentifier' = 'EVERYONE'
    OR regexp_like(replace(requestParameters -> 'principal' ->> 'dataLakePrincipalIdentifier', account, ''), '^[0-9]{12}$|:[0-9]{12}:'))
