-- title           = "Lake Formation permission was granted outside the account"
-- severity        = "high"
-- confidence      = "high"
-- tags            = ["attack.exfiltration", "attack.t1537"]
-- remedy          = "Revoke the grant (lakeformation:RevokePermissions) and list what the outsider read since."
-- false_positives = "Data shared with partners by contract; a data mesh that is deployed from a repository (medium)."
SELECT coalesce(requestParameters -> 'principal' ->> 'dataLakePrincipalIdentifier', requestParameters ->> 'entries') AS principal,
       coalesce(requestParameters ->> 'resource', requestParameters -> 'entries' -> 0 ->> 'resource') AS resource,
       requestParameters ->> 'permissions' AS permissions,
       CASE WHEN requestParameters -> 'principal' ->> 'dataLakePrincipalIdentifier' LIKE 'arn:aws%:organizations:%' THEN 'medium'
            -- what a pipeline is made to do was read by somebody before; an account is not everybody
            WHEN (userIdentity.invokedBy = 'cloudformation.amazonaws.com'
                  OR NOT is_person() AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
                     AND is_infrastructure_tool())
                 AND NOT regexp_like(requestParameters, '"EVERYONE"') THEN 'medium'
            ELSE 'high' END AS severity
FROM cloudtrail
WHERE eventSource = 'lakeformation.amazonaws.com'
  AND eventName IN ('GrantPermissions', 'BatchGrantPermissions')
  AND errorCode IS NULL
  AND (array_any_match(json_texts(without_own(requestParameters, account), 'principal', 'dataLakePrincipalIdentifier'), p -> p = 'EVERYONE' OR regexp_like(p, '^[0-9]{12}$|:[0-9]{12}:'))
    OR array_any_match(json_texts(without_own(requestParameters, account), 'entries', 'principal', 'dataLakePrincipalIdentifier'), p -> p = 'EVERYONE' OR regexp_like(p, '^[0-9]{12}$|:[0-9]{12}:')))
