-- title           = "Person took data out of Lake Formation's care, so that IAM alone decides who reads it"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.001", "attack.collection", "attack.t1530"]
-- remedy          = "Register the location again, and revoke what IAM_ALLOWED_PRINCIPALS was granted; see who read the data since."
-- false_positives = "A lake that goes back to IAM on purpose; tables of a crawler that was never under Lake Formation."
SELECT eventTime,
       eventName,
       requestParameters ->> 'permissions' AS permissions,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'resourceArn', requestParameters ->> 'resource') AS resource
FROM cloudtrail
WHERE eventSource = 'lakeformation.amazonaws.com'
  AND eventName IN ('DeregisterResource', 'GrantPermissions')
  AND (eventName = 'DeregisterResource'
       OR requestParameters -> 'principal' ->> 'dataLakePrincipalIdentifier' = 'IAM_ALLOWED_PRINCIPALS')
  AND NOT is_infrastructure_tool()
  AND is_by_hand_or_script()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
